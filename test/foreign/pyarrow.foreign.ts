/** pandas beside pyarrow: texts are kept by pyarrow, and a call may ask for its dtypes. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { prepareVenv } from '../../scripts/prepare-machine.ts'
import type { Answer } from '../classifier/slices.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, testFolder } from '../helpers/cli.ts'
import { passUnder } from '../helpers/older-pandas.ts'
import { python } from '../helpers/python.ts'

const TESTS = join(import.meta.dirname, '..')
const CLASSIFIER = ['--classifier', join(TESTS, 'fixtures/has_an_a.py:with_dtypes')]

/** Files of fixtures/read_corpus.py, each with calls that make dtypes of pyarrow. */
const CALLS: Record<string, readonly string[]> = {
  base: [
    "dtype_backend='pyarrow'",
    "dtype_backend='pyarrow',engine='python'",
    "dtype_backend='pyarrow',parse_dates=['d']",
    "dtype_backend='pyarrow',index_col='name'",
    "dtype_backend='pyarrow',index_col=['id','name']",
    "dtype_backend='pyarrow',converters={'name':clean}",
    "dtype_backend='pyarrow',na_values=['abc'],true_values=['a0']",
    "dtype_backend='pyarrow',dtype={'id':str,'name':'category'}",
    "dtype={'name':'string[pyarrow]','id':'string[python]'}",
    "dtype={'id':'int64[pyarrow]','f':'double[pyarrow]','flag':'bool[pyarrow]'}",
    "dtype={'d':'timestamp[ns][pyarrow]'}",
    "dtype={'d':'date32[pyarrow]'}",
    "dtype=pd.StringDtype('python')",
  ],
  // Columns without a value.
  trailing: ["dtype_backend='pyarrow'", "dtype_backend='pyarrow',engine='python'"],
  dup: ["dtype_backend='pyarrow'", "dtype_backend='pyarrow',engine='python'"],
  exact: ["dtype_backend='pyarrow'"],
}

let withArrow = ''
before(async () => {
  const say = (message: string) => process.stderr.write(`${message}\n`)
  withArrow = await prepareVenv('.venvs/pyarrow', ['test/requirements-pyarrow.txt'], say)
})

test('batches of dtypes of pyarrow equal the slices of the whole DataFrame', async () => {
  const script = join(TESTS, 'classifier/fixtures/slices.py')
  const { code, stdout, stderr } = await startProgram(withArrow, [script], { input: JSON.stringify(CALLS) }).finished
  assert.equal(code, 0, stderr)
  const answers = JSON.parse(stdout) as Record<string, Record<string, Answer>>
  for (const [file, calls] of Object.entries(answers))
    for (const [call, answer] of Object.entries(calls)) {
      const said = `${file}, ${call}: ${answer.join(' ')}`
      if (file !== 'exact') assert.equal(answer[0], 'same', said)
      else assert.match(said, /refused READ_DIFFERS '9007199254740993' is 9007199254740992\.0 in the whole file/)
    }
})

for (const file of ['slices', 'random-reads', 'proof', 'as-people-write'])
  test(`${file}.pandas.ts`, () => passUnder(withArrow, `classifier/${file}.pandas.ts`))

test('a worker without the pyarrow of the publisher ends with one line, and one with it does the job', async t => {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'id,share,text,empty\n1,0.5,a,\n2,,b,\n')
  const calls = ['--read', "pd.read_csv(IN, dtype_backend='pyarrow')", '--write', 'df.to_csv(OUT, index=False)']
  const published = await rowmill(['publish', input, '--job', 'arrow', '--python', withArrow, ...calls], { env })
  assert.equal(published.code, 0, published.stderr)
  const work = (interpreter: string) =>
    rowmill(['work', ...CLASSIFIER, '--python', interpreter, '--workers', '1', '--until-done', 'arrow'], { env })
  const refused = await work(python)
  assert.equal(refused.code, 2, refused.stderr)
  assert.match(
    refused.stderr,
    /rows of this job were read by pandas 3\.1 with pyarrow, and \S+ has pandas 3\.1\.1, which may read them otherwise\. Give this worker the packages of the publisher \(--python PATH\).*\[PYTHON_UNUSABLE\]/,
  )
  const worked = await work(withArrow)
  assert.equal(worked.code, 0, worked.stderr)
  const collected = await rowmill(['collect', output, '--job', 'arrow'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  const dtypes = 'int64[pyarrow] double[pyarrow] string[pyarrow] null[pyarrow]'
  assert.equal(readFileSync(output, 'utf8'), `id,share,text,empty,DTYPES\n1,0.5,a,,${dtypes}\n2,,b,,${dtypes}\n`)
})
