/** `rowmill check`: whether a classifier looks at one row at a time, and how long a job takes. It needs no broker. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkCommand } from '../../src/cli/commands/check.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'

const LOOKS = join(import.meta.dirname, '../fixtures/looks_at_rows.py')
const ROW_WISE = join(import.meta.dirname, '../probe/fixtures/row_wise.py')
const FIXTURES = join(import.meta.dirname, '../fixtures')

function check(t: TestContext, classifier: string, options: readonly string[] = []) {
  const input = join(testFolder(t), 'in.csv')
  const rows = Array.from({ length: 200 }, (_, n) => `${n},n${n % 9},${n}`)
  writeFileSync(input, ['ID,NAME,N', ...rows, ''].join('\n'))
  const env = { ROWMILL_BROKERS: '127.0.0.1:1' } // nobody answers there
  return rowmill(['check', input, '--classifier', classifier, '--workers', '2', ...options], { env })
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
  const { rows, probed, rowByRow, fault, unstable, seconds } = line
  assert.deepEqual([rows, probed, rowByRow, fault.column, fault.line, unstable], [200, 200, false, 'ROW', 12, []])
  assert.equal(seconds.length, 2)
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
