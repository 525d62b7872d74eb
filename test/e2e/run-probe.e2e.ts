/** The probe of `rowmill run`: functions that look at other rows end the job before OUT is there, all others do not. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hasFailed } from '../../src/core/job.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'

const LOOKS = join(import.meta.dirname, '../fixtures/looks_at_rows.py')
const ROW_WISE = join(import.meta.dirname, '../probe/fixtures/row_wise.py')
const NUMBERS = Array.from({ length: 23 }, (_, i) => i)

async function run(
  t: TestContext,
  {
    columns,
    rows,
    classifier,
    options = [],
  }: { columns: string; rows: readonly string[]; classifier: string; options?: string[] },
) {
  const folder = testFolder(t)
  const [input, out] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, [columns, ...rows, ''].join('\n'))
  const args = ['run', input, out, '--classifier', classifier, '--batch-rows', '5', ...options]
  const ended = await rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
  return { ...ended, out, folder }
}

for (const [what, { column, cells, classify, message }] of Object.entries({
  'groupby and transform': {
    ...{ column: 'NAME', cells: NUMBERS.map(n => 'ab'[n % 2]!), classify: 'group_counts' },
    message:
      /column COUNT of row 0 \(line 2\) is "\d+" with all rows at once, but "\d+" in two batches\. The classifier looks/,
  },
  'category codes': {
    ...{ column: 'NAME', cells: NUMBERS.map(n => `n${(n * 7) % 23}`), classify: 'category_codes' },
    message: /column CODE of row \d+ \(line \d+\) is "\d+" with all rows at once, but "\d+" in /,
  },
  quantiles: {
    ...{ column: 'N', cells: NUMBERS.map(n => `${n * 3}`), classify: 'quantiles' },
    message: /column BIN of row \d+ \(line \d+\) is "\w+" with all rows at once, but "\w+" in /,
  },
  'numbering rows': {
    ...{ column: 'N', cells: NUMBERS.map(String), classify: 'numbers_rows' },
    message: /column ROW of row 3 \(line 5\) is "4" with all rows at once, but "1" in two batches/,
  },
  'dates of two formats': {
    column: 'DAY',
    cells: NUMBERS.map(n => (n < 8 ? `2024-01-${10 + n}` : `${String(n + 1).padStart(2, '0')}.01.2024`)),
    classify: 'to_datetime_coerce',
    message: /column ISO of row \d+ \(line \d+\) is "" with all rows at once, but "2024-\d\d-\d\d" in /,
  },
  'dropped duplicates': {
    ...{ column: 'NAME', cells: NUMBERS.map(n => 'ab'[n % 2]!), classify: 'drop_duplicates' },
    message:
      /rows \d+ to \d+ \(from line \d+ to \d+\): all together: .*returned \d+ rows for \d+.*In smaller batches each of them has a result\. The classifier looks/s,
  },
  'a sort': {
    ...{ column: 'NAME', cells: NUMBERS.map(n => `n${(n * 7) % 23}`), classify: 'sort_values' },
    message: /: all together: .*another index.*In smaller batches each of them has a result\. The classifier looks/s,
  },
})) {
  test(`a run ends before OUT is there if its classifier looks at other rows: ${what}`, async t => {
    const rows = cells.map((cell, i) => (column === 'N' ? `${i},a,${cell}` : `${i},${cell},${i}`))
    const columns = column === 'N' ? 'ID,NAME,N' : `ID,${column},N`
    const ended = await run(t, { columns, rows, classifier: `${LOOKS}:${classify}` })
    assert.equal(ended.code, 1, ended.stderr)
    assert.match(ended.stderr, message)
    assert.match(ended.stderr, /\[BATCH_DEPENDENT\]\n$/)
    assert.ok(!existsSync(ended.out))
    assert.ok(!existsSync(`${ended.out}.rowmill`), 'nobody can resume it')
  })
}

test('integers beyond int64 beside a sign end the job by name: a list, numpy and to_numeric differ there', async t => {
  const rows = NUMBERS.map(n => `${n},a,${n === 1 ? '-1' : n === 20 ? '18446744073709551615' : `00${n}`}`)
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${LOOKS}:to_numeric` })
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(
    ended.stderr,
    /column N is (unsigned|negative) in rows .* and (unsigned|negative) in rows .*\[KIND_DRIFT\]\n$/,
  )
  assert.ok(!existsSync(ended.out))
})

test('get_dummies ends with BATCH_DEPENDENT, whether the collector or the probe sees it first', async t => {
  const rows = NUMBERS.map(n => `${n},${'abc'[n % 3]!},${n}`).sort((a, b) =>
    a.split(',')[1]!.localeCompare(b.split(',')[1]!),
  )
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${LOOKS}:dummies` })
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(ended.stderr, /columns .*\[BATCH_DEPENDENT\]\n$/)
  assert.ok(!existsSync(ended.out))
})

test('with --rows any, duplicates that no batch has together are found by the probe alone, also far apart', async t => {
  const near = NUMBERS.map(n => `${n},n${n % 12},${n}`)
  const far = Array.from({ length: 1200 }, (_, n) => `${n},n${n === 1000 ? 400 : n},${n}`)
  const classifier = `${LOOKS}:drop_duplicates`
  for (const rows of [near, far]) {
    const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier, options: ['--rows', 'any'] })
    assert.equal(ended.code, 1, ended.stderr)
    assert.match(ended.stderr, /in the probe: row \d+ .* is \[\] with all rows at once, but \[.*\[BATCH_DEPENDENT\]\n$/)
    assert.ok(!existsSync(ended.out))
  }
})

for (const [what, rare, classify, message] of [
  [
    'a mean that fills in a missing cell',
    '',
    'imputes_mean',
    /column N of row 500 \(line 502\) is "[\d.]+" with all rows at/,
  ],
  [
    'a flag for a rare letter',
    'z',
    'flags_letter',
    /column FLAG of row \d+ \(line \d+\) is "True" with all rows at once/,
  ],
] as const) {
  test(`one row in the middle is enough: ${what}`, async t => {
    const cells = (n: number) => (rare === 'z' ? `${n === 500 ? 'z' : 'abc'[n % 3]},${n}` : `a,${n === 500 ? '' : n}`)
    const rows = Array.from({ length: 1000 }, (_, n) => `${n},${cells(n)}`)
    const classifier = `${LOOKS}:${classify}`
    const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier, options: ['--batch-rows', '100'] })
    assert.equal(ended.code, 1, ended.stderr)
    assert.match(ended.stderr, message)
    assert.match(ended.stderr, /\[BATCH_DEPENDENT\]\n$/)
  })
}

test('a function that numbers the names it meets ends the run: each worker meets others first', async t => {
  const rows = NUMBERS.map(n => `${n},n${n % 7},${n}`)
  const classifier = join(import.meta.dirname, '../probe/fixtures/remembers.py:numbers_names')
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier })
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(ended.stderr, /in a new process that gets the second half of the rows first.*\[BATCH_DEPENDENT\]\n$/)
  assert.ok(!existsSync(ended.out))
})

test('with --rows any and --probe 0, duplicates that no batch has together go unnoticed', async t => {
  const near = NUMBERS.map(n => `${n},n${n % 12},${n}`)
  const classifier = `${LOOKS}:drop_duplicates`
  const options = ['--rows', 'any', '--probe', '0']
  const unseen = await run(t, { columns: 'ID,NAME,N', rows: near, classifier, options })
  assert.equal(unseen.code, 0, unseen.stderr)
})

test('--probe 0 tries nothing', async t => {
  const rows = NUMBERS.map(n => `${n},a,${n}`)
  const options = ['--probe', '0', '-o', 'json']
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${LOOKS}:numbers_rows`, options })
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(JSON.parse(ended.stdout).probe, null)
})

test('a file that fits into one batch needs no probe: the classifier sees all of it', async t => {
  const rows = NUMBERS.map(n => `${n},a,${n}`)
  const options = ['--batch-rows', '23', '-o', 'json']
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${LOOKS}:numbers_rows`, options })
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(JSON.parse(ended.stdout).probe, null)
  assert.match(readFileSync(ended.out, 'utf8'), /^0,a,0,1\n.*22,a,22,23\n$/s)
})

test('the report has what the probe took', async t => {
  const rows = NUMBERS.map(n => `${n},n${n},${n}`)
  const options = ['-o', 'json']
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${ROW_WISE}:lru_cached`, options })
  assert.equal(ended.code, 0, ended.stderr)
  const { rows: tried, seconds, ...rest } = JSON.parse(ended.stdout).probe
  assert.ok(tried === 23 || tried === 20, `${tried} rows: fewer if the machine is so busy that rows seem slow`)
  assert.ok(seconds > 0)
  assert.deepEqual(rest, { calls: 15, unstable: [], failure: null })
})

test('random numbers are named once, and the job completes', async t => {
  const rows = NUMBERS.map(n => `${n},n${n},${n}`)
  const options = ['-o', 'json']
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: `${ROW_WISE}:unseeded`, options })
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal(ended.stderr.match(/column X differs even between two calls with the same rows/g)?.length, 1)
  assert.deepEqual(JSON.parse(ended.stdout).probe.unstable, ['X'])
})

test('a result that depends on the order of a set is named, though workers that were forked have one order', async t => {
  const folder = testFolder(t)
  const file = join(folder, 'sets.py')
  writeFileSync(
    file,
    "def classify_df(df):\n    df['X'] = [' '.join({f'{n}{at}' for at in range(20)}) for n in df['N']]\n",
  )
  const rows = NUMBERS.map(n => `${n},n${n},${n}`)
  const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier: file, options: ['--workers', '2'] })
  assert.equal(ended.code, 0, ended.stderr)
  assert.match(ended.stderr, /column X differs even between two calls with the same rows/)
})

test('a TypeScript classifier is probed too', async t => {
  const folder = testFolder(t)
  const file = join(folder, 'ranks.mts')
  writeFileSync(file, 'export default (rows: string[][]) => rows.map((row, at) => [...row, at])\n')
  const ended = await run(t, { columns: 'ID,NAME,N', rows: NUMBERS.map(n => `${n},a,${n}`), classifier: file })
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(
    ended.stderr,
    /column 3 of row 3 \(line 5\) is "3" with all rows at once, but "0" in two batches.*\[BATCH_DEPENDENT\]/,
  )
})

for (const [what, classify] of [
  ['dies', 'dies_in_a_probe'],
  ['hangs', 'hangs_in_a_probe'],
  ['cannot be imported again', 'absent_in_a_probe'],
] as const) {
  test(`a probe whose classifier ${what} is told once, and the job completes`, async t => {
    const rows = NUMBERS.map(n => `${n},n${n},${n}`)
    const classifier = join(import.meta.dirname, `../probe/fixtures/only_once.py:${classify}`)
    const options = ['--workers', '1', '--batch-timeout', '2', '-o', 'json']
    const folder = testFolder(t)
    process.env['ONLY_ONCE'] = join(folder, 'first')
    t.after(() => delete process.env['ONLY_ONCE'])
    const ended = await run(t, { columns: 'ID,NAME,N', rows, classifier, options })
    assert.equal(ended.code, 0, ended.stderr)
    assert.equal(
      ended.stderr.match(/the probe of the classifier ended without a verdict, and the job continues: /g)?.length,
      1,
    )
    assert.match(JSON.parse(ended.stdout).probe.failure, /^CLASSIFIER_/)
    assert.equal(readFileSync(ended.out, 'utf8').split('\n').length, 24)
  })
}

test('work probes the first batch of a job of a file and fails the job, which is not complete before', async t => {
  const folder = testFolder(t)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const input = join(folder, 'in.csv')
  writeFileSync(input, ['ID,NAME,N', ...NUMBERS.map(n => `${n},a,${n}`), ''].join('\n'))
  const working = startRowmill(['work', '--classifier', `${LOOKS}:numbers_rows`, '--workers', '1'], { env })
  t.after(() => working.child.kill('SIGTERM'))
  const published = await rowmill(['publish', input, '--job', 'j', '--batch-rows', '10'], { env })
  assert.equal(published.code, 0, published.stderr)
  const out = join(folder, 'out.csv')
  const collected = await rowmill(['collect', out, '--job', 'j'], { env })
  assert.equal(collected.code, 1, collected.stderr)
  assert.match(collected.stderr, /\[BATCH_DEPENDENT\]\n$/)
  assert.ok(!existsSync(out))
  const jobs = await JobLog.open(new Kafka({ brokers: [env.ROWMILL_BROKERS], clientId: 'test' }), pipeline, () => {})
  t.after(() => jobs.close())
  const { reason } = await jobs.until('j', hasFailed, t.signal)
  assert.equal(reason!.code, 'BATCH_DEPENDENT')
  assert.match(reason!.message, /^job j: in a probe of \d+ rows, column ROW of row \d+ \(line \d+\) is "\d+" with/)
})
