/** Bad input ends with a message (what, where, what to do), the right exit code, and nothing left over. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { type CliOptions, rowmill, testFolder } from '../helpers/cli.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures')
const CLASSIFIER = `${FIXTURES}/classifiers.py:a_float`
const GOOD = 'ID,A\n1,x\n2,y\n'

interface BadRun {
  readonly input?: string | Buffer
  readonly args?: (folder: string) => string[]
  readonly classifier?: string
  readonly options?: readonly string[]
  readonly cli?: CliOptions
  prepare?(folder: string): void
}

/**
 * Runs IN to OUT in its own folder and checks the end: exit code, message, no OUT, no stack trace, and no state unless
 * another attempt can resume.
 */
async function endsWith(t: TestContext, code: number, message: RegExp, run: BadRun): Promise<void> {
  const folder = testFolder(t)
  if (run.input !== undefined) writeFileSync(join(folder, 'in.csv'), run.input)
  run.prepare?.(folder)
  const before = readdirSync(folder).sort()
  const files = run.args?.(folder) ?? [join(folder, 'in.csv'), join(folder, 'out.csv')]
  const command = ['run', ...files, '--classifier', run.classifier ?? CLASSIFIER, ...(run.options ?? [])]
  const { env = {}, ...rest } = run.cli ?? {}
  const ended = await rowmill(command, { env: { ROWMILL_BROKERS: await brokerAddress(), ...env }, ...rest })
  assert.match(ended.stderr, message)
  assert.equal(ended.code, code, ended.stderr)
  assert.doesNotMatch(ended.stderr, /^ {4}at |Please report/m, 'no raw stack trace')
  assert.equal(ended.stdout, '')
  const goesOn = /once the classifier is repaired, resume with: rowmill run --resume \S+\n$/.test(ended.stderr)
  assert.equal(goesOn, code === 5)
  const state = goesOn ? ['out.csv.rowmill'] : []
  assert.deepEqual(readdirSync(folder).sort(), [...before, ...state].sort(), 'nothing else is left over')
}

test('a missing IN', t => endsWith(t, 2, /in\.csv/, {}))

test('a directory as IN', t =>
  endsWith(t, 2, /in\.csv is a folder, not a file/, { prepare: folder => mkdirSync(join(folder, 'in.csv')) }))

test('an empty file', t => endsWith(t, 1, /in\.csv.*empty|in\.csv.*no /i, { input: '' }))

test('an unreadable file', { skip: process.getuid?.() === 0 && 'root may read everything' }, t =>
  endsWith(t, 1, /in\.csv/, { input: GOOD, prepare: folder => chmodSync(join(folder, 'in.csv'), 0) }),
)

test('a file that fails while it is read', t =>
  endsWith(t, 1, /\/proc\/self\/mem/, { args: folder => ['/proc/self/mem', join(folder, 'out.csv')] }))

test('an OUT that is not a regular file is not replaced, even with --force', t =>
  endsWith(t, 2, /\/dev\/null is no regular file: use -/, {
    input: GOOD,
    args: folder => [join(folder, 'in.csv'), '/dev/null'],
    options: ['--force'],
  }))

test('an OUT in a missing folder', t =>
  endsWith(t, 2, /nowhere.*does not exist: create it first/, {
    input: GOOD,
    args: folder => [join(folder, 'in.csv'), join(folder, 'nowhere/out.csv')],
  }))

test('an existing OUT stays as it is', t =>
  endsWith(t, 2, /out\.csv exists: choose another OUT, or --force/, {
    input: GOOD,
    prepare: folder => writeFileSync(join(folder, 'out.csv'), 'precious'),
  }))

test('a directory as OUT', t =>
  endsWith(t, 2, /out\.csv is a directory/, { input: GOOD, prepare: folder => mkdirSync(join(folder, 'out.csv')) }))

test('IN and OUT are the same file', t =>
  endsWith(t, 2, /IN and OUT are the same file/, {
    input: GOOD,
    args: folder => [join(folder, 'in.csv'), join(folder, '.', 'in.csv')],
    options: ['--force'],
  }))

test('no --classifier', async t => {
  const folder = testFolder(t)
  const ended = await rowmill(['run', join(folder, 'in.csv'), join(folder, 'out.csv')])
  assert.deepEqual([ended.code, ended.stdout], [2, ''])
  assert.match(ended.stderr, /--classifier FILE/)
})

test('a missing classifier file', t =>
  endsWith(t, 2, /nowhere\.py/, { input: GOOD, classifier: `${FIXTURES}/nowhere.py` }))

test('a missing function: similar names are listed', t =>
  endsWith(t, 2, /a_flat.*a_float/s, { input: GOOD, classifier: `${FIXTURES}/classifiers.py:a_flat` }))

test("an import error shows the lines of the user's code", t =>
  endsWith(t, 1, /fails_to_import\.py", line 1.*module_that_does_not_exist/s, {
    input: GOOD,
    classifier: `${FIXTURES}/fails_to_import.py`,
  }))

test("a classifier that raises: rows, lines, and the lines of the user's code", t =>
  endsWith(t, 5, /row 0 \(line 2\) was rejected.*cannot classify bad.*classifiers\.py", line \d+, in raises/s, {
    input: 'ID,A\n1,x\n2,y\n3,z\n'.replace('x', 'bad').replace('ID,A', 'ID,A'),
    classifier: `${FIXTURES}/classifiers.py:raises`,
  }))

test('a classifier that returns fewer rows', t =>
  endsWith(t, 5, /returned 0 rows for 1 \(row \d\)/s, {
    input: GOOD,
    classifier: `${FIXTURES}/classifiers.py:drops_a_row`,
  }))

test('a classifier whose process dies repeatedly', t =>
  endsWith(t, 5, /row \d \(line \d\) was rejected: CLASSIFIER_DIED .*exit code 3/, {
    input: GOOD,
    classifier: `${FIXTURES}/classifiers.py:dies`,
    options: ['--workers', '1'],
  }))

test('a column that drifts fails by name, with the rows and the cure', t => {
  const rows = Array.from({ length: 20 }, (_, i) => `${i},${i === 15 ? 'none' : 'one'}\n`).join('')
  return endsWith(t, 1, /column N is .* in rows \d+ to \d+ and .* in rows.*--cast 'N=/, {
    input: `ID,A\n${rows}`,
    classifier: `${FIXTURES}/classifiers.py:drifts`,
    options: ['--batch-rows', '10'],
  })
})

test('a missing interpreter', t =>
  endsWith(t, 2, /nowhere\/python.*--python/s, { input: GOOD, options: ['--python', '/nowhere/python'] }))

test('an interpreter without pandas', t => {
  const bare = join(import.meta.dirname, '../fixtures/python-without-pandas')
  return endsWith(t, 2, /pandas/, { input: GOOD, options: ['--python', bare] })
})

test('a broker address that does not answer', t =>
  endsWith(t, 3, /no Kafka broker answers at 127\.0\.0\.1:1:/, { input: GOOD, options: ['--brokers', '127.0.0.1:1'] }))

test('no Java', t =>
  endsWith(t, 3, /Java 17/, {
    input: GOOD,
    cli: { env: { ROWMILL_BROKERS: '', PATH: '/nonexistent', JAVA_HOME: undefined } },
  }))

test('bad UTF-8: the byte and the line', t =>
  endsWith(t, 1, /byte 12/, {
    input: Buffer.concat([Buffer.from('ID,A\n1,x\n2,y'), Buffer.from([0xff]), Buffer.from('\n')]),
  }))

test('a quote that is never closed: the line where it began', t =>
  endsWith(t, 1, /line 3/, { input: 'ID,A\n1,x\n2,"y\n3,z\n4,w\n' }))

test("a cell above pandas' 131,072 characters: the line", t =>
  endsWith(t, 1, /line 3.*131,?072/s, { input: `ID,A\n1,x\n2,${'y'.repeat(131_073)}\n` }))

test('a row that is too long: the line, in the words of pandas', t =>
  endsWith(t, 1, /line 3/, { input: 'ID,A\n1,x\n2,y,z\n3,w\n' }))

test('names of the index on a line of their own: which line to remove', t =>
  endsWith(
    t,
    1,
    /line 3: expected 2 cells, found 3.*remove line 2: pandas would take it for the names of the index\. \[INPUT_FIELDS\]/,
    {
      input: 'A,B\nID\n1,x,y\n',
    },
  ))

test('a cast to a dtype that pandas does not know', t =>
  endsWith(t, 2, /--cast N=flot64: pandas [0-9.]+ knows no such dtype\. \[USAGE\]/, {
    input: GOOD,
    options: ['--cast', 'N=flot64'],
  }))

test('options of the original job that act on the whole file are refused with the reason', async t => {
  const refused = [
    { nrows: 5 },
    { skipfooter: 1 },
    { chunksize: 10 },
    { parse_dates: ['A'] },
    { dtype: null },
    { engine: 'c' },
  ]
  for (const readCsv of refused) {
    const name = new RegExp(Object.keys(readCsv)[0]!)
    await endsWith(t, 2, name, { input: GOOD, options: ['--read-csv', JSON.stringify(readCsv)] })
  }
})

test('bad option values name flag, value and bound', async t => {
  const bad: [string[], RegExp][] = [
    [['--workers', 'abc'], /--workers "abc": must be a whole number from 1 to 512/],
    [['--workers', '0'], /--workers "0": must be a whole number from 1 to 512/],
    [['--batch-rows', '-5'], /--batch-rows "-5": must be/],
    [['--brokers', 'localhost'], /--brokers "localhost": must be HOST:PORT/],
    [['--read-csv', '[1]'], /--read-csv "\[1\]": must be a JSON object/],
    [['--job', 'a b'], /--job "a b": use 1 to 100/],
    [['--cast', 'N'], /--cast "N": must be COLUMN=DTYPE/],
    [['--wokers', '2'], /run has no option --wokers\..*Did you mean --workers\?/s],
    [['--to-csv', '{"mode":"r"}'], /mode="r"/],
    [['--report', '/nowhere/report.json'], /--report \/nowhere\/report\.json: the folder does not exist/],
  ]
  for (const [options, message] of bad) await endsWith(t, 2, message, { input: GOOD, options })
})

test('a bad value in an environment variable is named', t =>
  endsWith(t, 2, /ROWMILL_WORKERS "many": must be a whole number/, {
    input: GOOD,
    cli: { env: { ROWMILL_WORKERS: 'many' } },
  }))

test('a job id used before: the same file resumes, another one is refused', async t => {
  const folder = testFolder(t)
  const { testPipeline } = await import('../helpers/broker.ts')
  const { pipeline } = await testPipeline(t)
  const options = ['--pipeline', pipeline, '--job', 'once']
  writeFileSync(join(folder, 'in.csv'), GOOD)
  const env = { ROWMILL_BROKERS: await brokerAddress() }
  const command = ['run', join(folder, 'in.csv'), join(folder, 'out.csv'), '--classifier', CLASSIFIER, ...options]
  assert.equal((await rowmill(command, { env })).code, 0)
  const output = readFileSync(join(folder, 'out.csv'), 'utf8')
  const same = await rowmill([...command, '--force'], { env })
  assert.equal(same.code, 0, same.stderr)
  assert.match(same.stderr, /job once is published already/)
  writeFileSync(join(folder, 'in.csv'), `${GOOD}9,z\n`)
  const again = await rowmill([...command, '--force'], { env })
  assert.equal(again.code, 2, again.stderr)
  assert.match(again.stderr, /job once exists already .*begun with in\.csv/)
  assert.equal(readFileSync(join(folder, 'out.csv'), 'utf8'), output, 'the file of the first run stays')
})

test('a run that takes longer than --timeout ends with 124 and can be resumed', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${'1,x\n'.repeat(1000)}`)
  const slow = `${FIXTURES}/classifiers.py:slow`
  const { code, stderr } = await rowmill(['run', input, output, '--classifier', slow, '--timeout', '6'], {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  assert.equal(code, 124, stderr)
  assert.match(stderr, /not complete after --timeout 6 s \[TIMEOUT\]\n.*rowmill run --resume \S+\n$/)
})
