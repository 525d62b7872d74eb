/** `rowmill check`: whether a classifier looks at one row at a time, and how long a job takes. It needs no broker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkCommand } from '../../src/cli/commands/check.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'

const LOOKS = join(import.meta.dirname, '../fixtures/looks_at_rows.py')
const ROW_WISE = join(import.meta.dirname, '../probe/fixtures/row_wise.py')
const FIXTURES = join(import.meta.dirname, '../fixtures')

/** Its messages without the one about a check that takes long: a busy machine may say that too. */
async function check(t: TestContext, classifier: string, options: readonly string[] = []) {
  const input = join(testFolder(t), 'in.csv')
  const rows = Array.from({ length: 200 }, (_, n) => `${n},n${n % 9},${n}`)
  writeFileSync(input, ['ID,NAME,N', ...rows, ''].join('\n'))
  const env = { ROWMILL_BROKERS: '127.0.0.1:1' } // nobody answers there
  const checked = await rowmill(['check', input, '--classifier', classifier, '--workers', '2', ...options], { env })
  return { ...checked, stderr: checked.stderr.replace(/^rowmill: to try .*: --probe N tries fewer\n/, '') }
}

test('a classifier that looks at one row at a time: the text says so, with the time of each number of workers', async t => {
  const { code, stdout, stderr } = await check(t, `${ROW_WISE}:lru_cached`)
  assert.equal(code, 0, stderr)
  assert.equal(stderr, '')
  const lines = stdout.split('\n')
  assert.match(lines[0]!, /in\.csv: 200 rows\. 200 rows tried in \d+ calls: each came out alike in every batch$/)
  assert.match(lines[1]!, /row_wise\.py:lru_cached starts in .* s\. A call takes \S+ ms, and \S+ ms for each row$/)
  assert.match(lines[2]!, /^one process, as in the original job: about \d+ s$/)
  assert.match(lines[3]!, /^rowmill run --workers 1: about \d+ s$/)
  assert.match(lines[4]!, /^rowmill run --workers 2: about \d+ s$/)
  assert.match(lines[5]!, /^rowmill (pays: it is fastest with|does not pay: one process is as fast)/)
})

test('a classifier that looks at other rows ends with BATCH_DEPENDENT, after the JSON', async t => {
  const { code, stdout, stderr } = await check(t, `${LOOKS}:numbers_rows`, ['-o', 'json'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^rowmill: column ROW of row 10 \(line 12\) is "11" with all rows at once, but "1" in .*\[BATCH_DEPENDENT\]\n$/,
  )
  const line = JSON.parse(stdout)
  assert.deepEqual(Object.keys(line), Object.keys(checkCommand.json!.fields))
  const { rows, probed, rowByRow, fault, unstable } = line
  assert.deepEqual([rows, probed, rowByRow, fault.column, fault.line, unstable], [200, 20, false, 'ROW', 12, []])
  const { startSeconds, openSeconds, busy, callSeconds, rowSeconds, oneProcessSeconds, seconds, pays } = line
  for (const estimate of [startSeconds, openSeconds, busy, callSeconds, rowSeconds, oneProcessSeconds, seconds, pays])
    assert.equal(estimate, null, 'run would end with the fault')
})

test('there is no estimate for a job that would fail', async t => {
  const { code, stdout } = await check(t, `${LOOKS}:numbers_rows`)
  assert.equal(code, 1)
  const [first, second, ...others] = stdout.split('\n')
  assert.match(first!, /20 rows tried in \d+ calls: they did not come out alike: column ROW/)
  assert.deepEqual([second, others], ['rowmill run would end with this: no time is estimated', ['']])
})

test('a time-out names no command to resume: there is no job', async t => {
  const file = join(testFolder(t), 'slow.py')
  writeFileSync(file, 'import time\ntime.sleep(600)\n')
  const call = ['--read', "pd.read_csv(IN, converters={'ID': clean})", '--timeout', '1']
  const { code, stderr } = await check(t, file, call)
  assert.deepEqual([code, stderr], [124, 'rowmill: not complete after --timeout 1 s [TIMEOUT]\n'])
})

test('a call that takes too long says with how many rows, and what to do', async t => {
  const file = join(testFolder(t), 'slow.py')
  writeFileSync(file, 'import time\ndef classify_df(df):\n    if len(df) > 1:\n        time.sleep(600)\n')
  const { code, stderr } = await check(t, file, ['--batch-timeout', '1'])
  const message = 'a call with 20 rows took longer than --batch-timeout 1 s'
  const cure = 'Raise --batch-timeout, or try fewer rows with --probe'
  assert.deepEqual([code, stderr], [1, `rowmill: ${message}. ${cure} [CLASSIFIER_TIMEOUT]\n`])
})

test('a check that takes long says so before', async t => {
  const folder = testFolder(t)
  const [input, file] = [join(folder, 'in.csv'), join(folder, 'slow.py')]
  writeFileSync(input, `ID\n${Array.from({ length: 200 }, (_, n) => `${n}\n`).join('')}`)
  writeFileSync(file, 'import time\ndef classify_df(df):\n    time.sleep(0.05 * len(df))\n')
  const { child, finished, said } = startRowmill(['check', input, '--classifier', file])
  await once(child.stderr, 'data')
  child.kill()
  await finished
  assert.match(said(), /^rowmill: to try 200 rows in 4 cuts takes about \d+ s: --probe N tries fewer\n/)
})

test('random numbers are named, and the other columns judged', async t => {
  const random = await check(t, `${ROW_WISE}:unseeded`)
  assert.equal(random.code, 0, random.stderr)
  assert.match(random.stdout, /^column X differs even between two calls with the same rows: it was not judged$/m)
  const ranks = await check(t, `${ROW_WISE}:random_beside_ranks`)
  assert.equal(ranks.code, 1)
  assert.match(ranks.stderr, /column RANK of row/)
})

test('a row that is dropped or doubled breaks the contract by itself, and says nothing about other rows', async t => {
  const file = join(testFolder(t), 'some.py')
  writeFileSync(file, "def some(df):\n    return df.loc[df.index.repeat(df['N'].astype(int) % 3)].assign(X=1)\n")
  const one = await check(t, `${file}:some`)
  assert.equal(one.code, 5)
  assert.match(one.stderr, /returned \d rows for 1 .*or give --rows any.*\[REJECTS_OVER_BUDGET\]\n$/s)
  const any = await check(t, `${file}:some`, ['--rows', 'any'])
  assert.deepEqual([any.code, any.stderr], [0, ''])
})

test('a TypeScript classifier is checked too', async t => {
  const { code, stdout, stderr } = await check(t, `${FIXTURES}/classifiers.ts`, ['-o', 'json'])
  assert.equal(code, 0, stderr)
  assert.equal(JSON.parse(stdout).rowByRow, true)
})

test('what check cannot use is named in one line', async t => {
  const missing = await check(t, `${FIXTURES}/nowhere.py`)
  assert.deepEqual([missing.code, missing.stdout], [2, ''])
  assert.match(missing.stderr, /nowhere\.py.*\[CLASSIFIER_NOT_FOUND\]/)
  const none = await check(t, `${ROW_WISE}:lru_cached`, ['--probe', '0'])
  assert.match(none.stderr, /--probe 0: check needs rows to try\. Give 1 or more \[USAGE\]/)
  const dies = await check(t, `${FIXTURES}/classifiers.py:dies`)
  assert.equal(dies.code, 1)
  assert.match(dies.stderr, /exit code 3.*\[CLASSIFIER_DIED\]/s)
})

test('rows that would be rejected are counted, and the command ends with the first of them', async t => {
  const classifier = join(testFolder(t), 'some.py')
  writeFileSync(
    classifier,
    ['def classify_df(df):', "    if (df['NAME'] == 'n3').any():", "        raise ValueError('three')", ''].join('\n'),
  )
  const { code, stdout, stderr } = await check(t, classifier, ['-o', 'json'])
  assert.equal(code, 5, stderr)
  assert.match(
    stderr,
    /^rowmill: 22 of 200 rows that were tried would be rejected\. The first is row 3 \(line 5\): CLASSIFIER_FAILED .*three.*\[REJECTS_OVER_BUDGET\]/s,
  )
  const { rowByRow, rejects, rejected } = JSON.parse(stdout)
  assert.deepEqual([rowByRow, rejects, rejected.length, rejected[1].seq], [true, 22, 22, 12])
})
