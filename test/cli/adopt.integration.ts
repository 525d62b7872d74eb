/** `rowmill adopt`: what it prints, what it writes, and how it refuses. test/adopt has what it understands. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'

const INLINE = `import pandas as pd
df = pd.read_csv("it's in.csv", sep='$')
df['x'] = 1
df.to_csv('out.csv')
`
const MODULE = `"""The work of old_job.py on its frame, cut out by rowmill adopt. --classifier old_job_classifier.py:classify"""


def classify(df):
    df['x'] = 1
    return df
`

function place(t: TestContext, files: Readonly<Record<string, string | Buffer>>) {
  const cwd = testFolder(t)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return { cwd, adopt: (...words: string[]) => rowmill(['adopt', ...words], { cwd }) }
}

test('adopt writes the module beside the program, and says so; a second time it is there already', async t => {
  const { cwd, adopt } = place(t, { 'old_job.py': INLINE })
  const first = await adopt('old_job.py')
  assert.deepEqual([first.code, first.stderr], [0, ''])
  assert.match(first.stdout, /^old_job_classifier\.py is new\. It has the work between these lines/m)
  assert.equal(readFileSync(join(cwd, 'old_job_classifier.py'), 'utf8'), MODULE)
  const second = await adopt('old_job.py')
  assert.equal(second.code, 0)
  assert.match(second.stdout, /^old_job_classifier\.py already has the work/m)
})

test('the words of the command are quoted for a shell', async t => {
  const { adopt } = place(t, { 'old_job.py': INLINE })
  const { stdout } = await adopt('old_job.py')
  assert.match(stdout, /^rowmill run 'it'\\''s in\.csv' out\.csv \\$/m)
  assert.match(stdout, /^ {2}--read 'pd\.read_csv\(IN, sep='\\''\$'\\''\)' \\$/m)
  assert.match(stdout, /^ {2}--write "df\.to_csv\(OUT\)"$/m)
})

test('a module that exists and differs is replaced only with --force', async t => {
  const { cwd, adopt } = place(t, { 'old_job.py': INLINE, 'old_job_classifier.py': 'mine = 1\n' })
  const { code, stdout, stderr } = await adopt('old_job.py')
  assert.deepEqual([code, stdout], [2, ''])
  const message =
    'module old_job_classifier.py exists. Replace it with --force, or see the new one with --dry-run [OUTPUT_EXISTS]'
  assert.equal(stderr, `rowmill: ${message}\n`)
  assert.equal(readFileSync(join(cwd, 'old_job_classifier.py'), 'utf8'), 'mine = 1\n')
  assert.equal((await adopt('old_job.py', '--force')).code, 0)
  assert.equal(readFileSync(join(cwd, 'old_job_classifier.py'), 'utf8'), MODULE)
})

test('--dry-run prints the module and writes nothing', async t => {
  const { cwd, adopt } = place(t, { 'old_job.py': INLINE })
  const { code, stdout } = await adopt('old_job.py', '--dry-run')
  assert.equal(code, 0)
  assert.match(stdout, /^ {4}def classify\(df\):\n {4} {4}df\['x'\] = 1\n/m)
  assert.ok(!existsSync(join(cwd, 'old_job_classifier.py')))
})

test('-o json has the command, its parts, the text of the module and each note with its line', async t => {
  const { adopt } = place(t, { 'old_job.py': INLINE.replace("df['x'] = 1", "df['x'] = df['a'].mean()") })
  const { code, stdout } = await adopt('old_job.py', '--dry-run', '-o', 'json')
  assert.equal(code, 1)
  const { command, moduleText, ...others } = JSON.parse(stdout)
  assert.match(command, /^rowmill run 'it'/)
  assert.match(moduleText, /^def classify\(df\):$/m)
  assert.deepEqual(others, {
    program: 'old_job.py',
    done: false,
    input: "it's in.csv",
    output: 'out.csv',
    classifier: 'old_job_classifier.py:classify',
    read: "pd.read_csv(IN, sep='$')",
    write: 'df.to_csv(OUT)',
    rows: 'one',
    module: 'old_job_classifier.py',
    notes: [
      {
        kind: 'sign',
        line: 3,
        place: 'line 3',
        text: 'mean computes over the whole column. A batch has only some of the rows.',
      },
    ],
  })
})

test('a program in another folder: its module is beside it, and __file__ leads there', async t => {
  const { cwd, adopt } = place(t, {})
  const text = INLINE.replace('"it\'s in.csv"', "Path(__file__).parent / 'in.csv'").replace(
    'import pandas',
    'from pathlib import Path\nimport pandas',
  )
  const folder = join(cwd, 'jobs')
  mkdirSync(folder)
  writeFileSync(join(folder, 'old_job.py'), text)
  const { code, stdout } = await adopt('jobs/old_job.py')
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^rowmill run jobs\/in\.csv out\.csv \\\n {2}--classifier jobs\/old_job_classifier\.py:classify \\$/m,
  )
  assert.ok(existsSync(join(folder, 'old_job_classifier.py')))
})

const REFUSED: Readonly<Record<string, readonly [name: string, text: string | Buffer, says: RegExp]>> = {
  'a syntax error': [
    'p.py',
    'x = (\n',
    /^rowmill: p\.py: Python cannot parse line 1 of the program \(.*\)\. Correct it/,
  ],
  'Python 2': ['p.py', 'print "hello"\n', /^rowmill: p\.py: Python cannot parse line 1 of the program \(Missing paren/],
  'bytes that are no text': [
    'p.py',
    Buffer.from([0xff, 0xfe, 0x0a]),
    /^rowmill: p\.py is no Python program: .* Save it as UTF-8\./,
  ],
  'no notebook': ['p.ipynb', '[1]', /^rowmill: p\.ipynb is no notebook of version 4: .* Save it in Jupyter again\./],
}
for (const [what, [name, text, says]] of Object.entries(REFUSED)) {
  test(`adopt refuses ${what} in one line`, async t => {
    const { adopt } = place(t, { [name]: text })
    const { code, stdout, stderr } = await adopt(name)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, says)
    assert.match(stderr, / \[PROGRAM_UNREADABLE\]\n$/)
    assert.equal(stderr.split('\n').length, 2)
  })
}

test('adopt refuses a program that does not exist, a folder, and a Python that does not exist', async t => {
  const { cwd, adopt } = place(t, { 'old_job.py': INLINE })
  const missing = await adopt('other.py')
  assert.equal(missing.stderr, 'rowmill: program other.py cannot be opened. Check the path. [INPUT_NOT_FOUND]\n')
  assert.equal((await adopt(cwd)).code, 2)
  const python = await adopt('old_job.py', '--python', 'no-such-python')
  assert.equal(python.code, 2)
  assert.match(
    python.stderr,
    /there is no such program\. Name a Python 3\.8 or later with --python PATH\. \[PYTHON_UNUSABLE\]/,
  )
})

test('adopt runs nothing of the program, and no module beside it', async t => {
  const loud = "open('ran', 'w')\n"
  const { cwd, adopt } = place(t, { 'old_job.py': loud + INLINE, 'ast.py': loud, 'json.py': loud, 'pandas.py': loud })
  assert.equal((await adopt('old_job.py')).code, 0)
  assert.ok(!existsSync(join(cwd, 'ran')))
})

test('a program without a read or a write gets no command, and exit code 1', async t => {
  const { adopt } = place(t, { 'empty.py': 'print(1)\n' })
  const { code, stdout } = await adopt('empty.py')
  assert.equal(code, 1)
  assert.match(
    stdout,
    /^empty\.py: there is no command for it yet\.\n\nNeeds a look:\n {2}line 1: There is no pd\.read_csv/,
  )
})
