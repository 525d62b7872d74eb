/** Commands on the jobs of a pipeline: open one for events, list them, cancel one. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { describeJobs, type ListedJob } from '../../src/cli/job-table.ts'
import type { Job } from '../../src/model.ts'
import { OPTIONS } from '../../src/options.ts'
import { parseOption } from '../../src/parse-option.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')

/** A pipeline of this test, commands on it, and the content of its `jobs`. */
async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const jobs = (...args: string[]) => rowmill(['jobs', ...args], { env })
  const peek = async (id: string): Promise<Job | undefined> => {
    const log = await JobLog.open(await testKafka(), pipeline, () => {})
    try {
      return await log.latest(id)
    } finally {
      await log.close()
    }
  }
  return { pipeline, env, jobs, peek }
}

/** A CSV file with ten rows, and the arguments that publish it. */
function publishing(t: TestContext, env: Record<string, string>) {
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, `ID,A\n${Array.from({ length: 10 }, (_, id) => `${id},x\n`).join('')}`)
  return (...args: string[]) => rowmill(['publish', path, ...args], { env })
}

test('jobs open makes an unsequenced, unbounded job over all partitions, and prints only its id', async t => {
  const { pipeline, jobs, peek } = await place(t)
  const { code, stdout, stderr } = await jobs('open', '--job', 'orders', '--columns', 'SKU, TEXT')
  assert.deepEqual([code, stdout], [0, 'orders\n'], stderr)
  assert.match(
    stderr,
    /send one message for each row to \S+\.rows, such as \{"job":"orders","values":\{"SKU":"\.\.\.","TEXT":/,
  )
  const { at, ...job } = (await peek('orders'))!
  assert.ok(Date.now() - at < 60_000)
  const zeros = Array(job.partitions).fill(0)
  assert.deepEqual(job, {
    ...{ id: 'orders', epoch: 0, attempt: 0, state: 'open', reason: null, columns: ['SKU', 'TEXT'] },
    ...{ sequenced: false, bounded: false, partitions: 8, blockRows: 1, topic: topicsOf(pipeline).rows, from: 0 },
    ...{ total: null, rowsFrom: zeros, resultsFrom: zeros, source: null, indexKind: 'text', by: 'jobs open' },
    options: [
      { name: 'readCsv', value: '{"engine":"python","index_col":0,"dtype":"str"}' },
      { name: 'toCsv', value: '{"header":false}' },
      { name: 'cast', value: '[]' },
      { name: 'maxRejects', value: '100%' },
      { name: 'quotesCarriageReturn', value: job.options.at(-1)!.value },
    ],
  })
})

test('every option of jobs open is in the job; columns may hold commas; without --job it gets an id', async t => {
  const { jobs, peek } = await place(t)
  const { code, stdout, stderr } = await jobs(
    ...['open', '--columns', '["ID","a,b",""]', '--index-kind', 'integer', '--max-rejects', '5', '--header'],
    ...['--read-csv', '{"na_values": ["-"]}', '--to-csv', '{"sep": ";"}', '--cast', 'a,b=float64'],
  )
  assert.equal(code, 0, stderr)
  const job = (await peek(stdout.trim()))!
  assert.deepEqual([job.columns, job.indexKind], [['ID', 'a,b', ''], 'integer'])
  assert.deepEqual(Object.fromEntries(job.options.map(({ name, value }) => [name, value])), {
    readCsv: '{"engine":"python","index_col":0,"dtype":"str","na_values":["-"]}',
    toCsv: '{"header":true,"sep":";"}',
    cast: '[["a,b","float64"]]',
    maxRejects: '5',
    quotesCarriageReturn: job.options.at(-1)!.value,
  })
})

test('opening again with the same options succeeds; other options are JOB_EXISTS and named', async t => {
  const { env, jobs } = await place(t)
  const open = (...args: string[]) => jobs('open', '--job', 'orders', '--columns', ...args)
  assert.equal((await open('SKU,TEXT')).code, 0)
  const again = await open('["SKU","TEXT"]')
  assert.deepEqual([again.code, again.stdout], [0, 'orders\n'], again.stderr)
  assert.match(again.stderr, /job orders is open already/)
  for (const [args, why] of [
    [['TEXT,SKU'], /other columns: \["SKU","TEXT"\], and these are \["TEXT","SKU"\]/],
    [['SKU,TEXT', '--index-kind', 'integer'], /other options \(indexKind was text, now integer\)/],
    [
      ['SKU,TEXT', '--to-csv', '{"sep":";"}'],
      /other options \(toCsv was \{"header":false\}, now \{"header":false,"sep":";"\}\)/,
    ],
    [['SKU,TEXT', '--max-rejects', '1%'], /other options \(maxRejects was 100%, now 1%\)/],
  ] as const) {
    const { code, stdout, stderr } = await open(...args)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, why)
    assert.match(stderr, /\[JOB_EXISTS\]/)
  }
  assert.equal((await publishing(t, env)('--job', 'nightly')).code, 0)
  const { code, stderr } = await jobs('open', '--job', 'nightly', '--columns', 'ID,A')
  assert.equal(code, 2)
  assert.match(stderr, /job nightly exists already .*with the rows of a file.*\[JOB_EXISTS\]/)
})

test('arguments that cannot make a job are refused before anything is opened', async t => {
  const { env, jobs, peek } = await place(t)
  for (const [args, why] of [
    [['open', '--job', 'j'], /which columns does the job have\? Give --columns SKU,TEXT/],
    [['open', '--job', 'j', '--columns', 'SKU,,TEXT'], /--columns "SKU,,TEXT": must be names with commas between/],
    [['open', '--job', 'j', '--columns', '[]'], /must be names/],
    [['open', '--job', 'j', '--columns', '["SKU", 7]'], /must be names/],
    [['open', '--job', 'j j', '--columns', 'SKU'], /--job "j j": use 1 to 100 letters/],
    [['open', '--job', 'j', '--columns', 'A', '--index-kind', 'number'], /--index-kind number: unknown/],
    [
      ['open', '--job', 'j', '--columns', 'A', '--read-csv', '{"sep":";"}'],
      /sep=";" cannot be used: events are not read/,
    ],
    [['open', '--job', 'j', '--columns', 'A', '--read-csv', '{"index_col":null}'], /add --to-csv '\{"index": false\}'/],
    [['open', '--job', 'j', '--columns', 'A', '--read-csv', '{"index_col":"B"}'], /the header has no such column/],
    [['close', '--job', 'j'], /jobs has no command close\. It has open, list, cancel/],
    [['list', '--columns', 'A'], /jobs list has no option --columns\. These commands have it: jobs open\./],
    [['list', '--output', 'xml'], /--output "xml": must be text or json/],
    [['cancel'], /which job\? Give --job ID/],
  ] as const) {
    const { code, stdout, stderr } = await jobs(...args)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, why)
    assert.match(stderr, /\[USAGE\]/)
  }
  const { code, stderr } = await jobs('list')
  assert.equal(code, 3, 'no topic was made')
  assert.match(stderr, /topic \S+\.jobs does not exist/)
  await publishing(t, env)()
  assert.equal(await peek('j'), undefined)
})

test('jobs list has a line per job, with the reason of a finished one; --output json is for programs', async t => {
  const { env, jobs } = await place(t)
  const publish = publishing(t, env)
  await publish('--job', 'nightly', '--cast', 'A=float64')
  await jobs('open', '--job', 'orders', '--columns', 'SKU,TEXT')
  // A module honours no cast: the worker reports it and the job fails.
  const worked = await rowmill(['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'nightly'], {
    env,
  })
  assert.equal(worked.code, 2, worked.stderr)
  const { code, stdout, stderr } = await jobs('list')
  assert.equal(code, 0, stderr)
  const lines = stdout.trimEnd().split('\n')
  assert.match(lines[0]!, /^JOB +STAGE +TYPE +ROWS +CLASSIFIED +REJECTS +AT +REASON$/)
  assert.match(
    lines[1]!,
    /^orders +open +unsequenced +- +- +- +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, (\d+ min )?\d+ s ago$/,
  )
  assert.match(
    lines[2]!,
    /^nightly +failed +csv +10 +- +- +\S+ \S+ UTC, (\d+ min )?\d+ s ago +USAGE job nightly, .*--cast A: only pandas can do that/,
  )
  assert.equal(lines.length, 3)
  const json = await jobs('list', '--output', 'json')
  const listed = json.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.deepEqual(
    listed.map(({ job, state, attempt, type, rows, columns, code }) => [
      job,
      state,
      attempt,
      type,
      rows,
      columns,
      code,
    ]),
    [
      ['nightly', 'failed', 0, 'csv', 10, ['ID', 'A'], 'USAGE'],
      ['orders', 'open', 0, 'unsequenced', null, ['SKU', 'TEXT'], null],
    ],
  )
})

test('jobs list counts published and classified rows, over attempts and beside an event job', async t => {
  const { env, jobs } = await place(t)
  const throws = join(import.meta.dirname, '../fixtures/bad-rows.ts:throws')
  const path = join(testFolder(t), 'bad.csv')
  writeFileSync(
    path,
    `ID,A\n${Array.from({ length: 250 }, (_, id) => `${id},${id === 7 ? 'bad' : 'good'}\n`).join('')}`,
  )
  const publish = (job: string) => rowmill(['publish', path, '--job', job, '--max-rejects', '5'], { env })
  const work = (classifier: string, job: string) =>
    rowmill(['work', '--classifier', classifier, '--workers', '1', '--until-done', job], { env })
  const listed = async (...args: string[]) => {
    const { code, stdout, stderr } = await jobs('list', '--output', 'json', ...args)
    assert.equal(code, 0, stderr)
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    return lines.map(({ job, state, attempt, rows, classified, rejects, complete }) => {
      return [job, state, attempt, rows, classified, rejects, complete]
    })
  }
  await jobs('open', '--job', 'orders', '--columns', 'ID,A')
  assert.equal((await publish('one')).code, 0)
  const published = ['one', 'ended', 0, 250, 0, 0, false]
  assert.deepEqual(await listed(), [['orders', 'open', 0, null, null, null, null], published])
  assert.match((await jobs('list')).stdout, /^one +published +csv +250 +0 +0 /m)
  assert.equal((await work(throws, 'one')).code, 0)
  assert.equal((await publish('two')).code, 0)
  const classified = ['one', 'ended', 0, 250, 250, 1, true]
  assert.deepEqual((await listed()).slice(1), [classified, ['two', 'ended', 0, 250, 0, 0, false]])
  assert.match((await jobs('list')).stdout, /^one +classified +csv +250 +250 +1 /m)
  assert.deepEqual(await listed('--job', 'one'), [classified])
  assert.equal((await rowmill(['rejects', 'replay', '--job', 'one'], { env })).code, 0)
  assert.deepEqual(await listed('--job', 'one'), [['one', 'ended', 1, 250, 250, 1, false]])
  assert.equal((await work(CLASSIFIER, 'one')).code, 0)
  assert.deepEqual(await listed('--job', 'one'), [['one', 'ended', 1, 250, 250, 0, true]])
  const absent = await jobs('list', '--job', 'nowhere')
  assert.deepEqual([absent.code, absent.stdout], [2, ''])
  assert.match(absent.stderr, /no job nowhere in pipeline \S+: rowmill jobs list names them \[USAGE\]/)
})

test('the table of jobs shows state, latest news last, attempts, and the first line of a reason', () => {
  const minutes = 60_000
  const listed = (progress: ListedJob['progress'], job: Partial<Job>) => ({ progress, job: jobRecord(job) })
  const reason = { code: 'CLASSIFIER_FAILED', place: 'row 7', message: 'job a, row 7: it threw\n  File "x.py"' }
  const table = describeJobs(
    [
      listed(null, { id: 'a', state: 'failed', attempt: 2, total: 5, at: 59 * minutes, reason }),
      listed(null, { id: 'live-events', bounded: false, at: 3 * minutes }),
      listed({ classified: 0, rejects: 0, complete: false }, { id: 'b', state: 'open', at: 4 * minutes }),
      listed({ classified: 9, rejects: 1, complete: false }, { id: 'c', state: 'ended', total: 10, at: 5 * minutes }),
      listed({ classified: 10, rejects: 2, complete: true }, { id: 'd', state: 'ended', total: 10, at: 6 * minutes }),
    ],
    61 * minutes,
  )
  assert.equal(
    table,
    [
      'JOB          STAGE              TYPE    ROWS  CLASSIFIED  REJECTS  AT                                       REASON',
      'live-events  open               events  -     -           -        1970-01-01 00:03:00 UTC, 58 min 0 s ago',
      'b            open               csv     -     0           0        1970-01-01 00:04:00 UTC, 57 min 0 s ago',
      'c            published          csv     10    9           1        1970-01-01 00:05:00 UTC, 56 min 0 s ago',
      'd            classified         csv     10    10          2        1970-01-01 00:06:00 UTC, 55 min 0 s ago',
      'a            failed, attempt 2  csv     5     -           -        1970-01-01 00:59:00 UTC, 2 min 0 s ago   CLASSIFIER_FAILED job a, row 7: it threw',
      '',
    ].join('\n'),
  )
  assert.equal(describeJobs([], 0), '')
})

test('jobs cancel ends a job for its readers and workers, and its id stays used', async t => {
  const { env, jobs, peek } = await place(t)
  assert.equal((await publishing(t, env)('--job', 'nightly')).code, 0)
  const cancelled = await jobs('cancel', '--job', 'nightly')
  assert.deepEqual([cancelled.code, cancelled.stdout], [0, ''], cancelled.stderr)
  assert.match(cancelled.stderr, /job nightly is cancelled: workers skip its rows/)
  const job = (await peek('nightly'))!
  assert.deepEqual([job.state, job.reason!.code, job.by], ['cancelled', 'JOB_CANCELLED', 'jobs cancel'])
  const collected = await rowmill(['collect', '-', '--job', 'nightly'], { env })
  assert.equal(collected.code, 1)
  assert.match(collected.stderr, /job nightly was cancelled by rowmill jobs cancel on .*\[JOB_CANCELLED\]/)
  const again = await jobs('cancel', '--job', 'nightly')
  assert.equal(again.code, 0)
  assert.match(again.stderr, /nothing to cancel: job nightly was cancelled by rowmill jobs cancel on/)
  assert.equal((await peek('nightly'))!.at, job.at, 'nothing more was printed')

  assert.equal((await jobs('open', '--job', 'orders', '--columns', 'SKU')).code, 0)
  assert.equal((await jobs('cancel', '--job', 'orders')).code, 0)
  const reopened = await jobs('open', '--job', 'orders', '--columns', 'SKU')
  assert.equal(reopened.code, 1)
  assert.match(reopened.stderr, /\[JOB_CANCELLED\]/)
})

test('a complete job cannot be cancelled and can still be collected; a missing job is USAGE', async t => {
  const { env, jobs } = await place(t)
  assert.equal((await publishing(t, env)('--job', 'nightly')).code, 0)
  const work = ['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'nightly']
  assert.equal((await rowmill(work, { env })).code, 0)
  const { code, stderr } = await jobs('cancel', '--job', 'nightly')
  assert.equal(code, 0)
  assert.match(stderr, /job nightly is complete: there is nothing to cancel/)
  assert.equal((await rowmill(['collect', '-', '--job', 'nightly'], { env })).code, 0)
  const absent = await jobs('cancel', '--job', 'nowhere')
  assert.equal(absent.code, 2)
  assert.match(absent.stderr, /no job nowhere in pipeline \S+: rowmill jobs list names them \[USAGE\]/)
})

test('columns: names separated by commas, or a JSON array', () => {
  const read = (given: string) => parseOption(OPTIONS.columns, '--columns', given)
  assert.deepEqual(read(' SKU , TEXT'), ['SKU', 'TEXT'])
  assert.deepEqual(read('["a,b", " c", ""]'), ['a,b', ' c', ''])
  for (const given of ['', ',', '[', '["\\ud800"]', '[[]]']) assert.throws(() => read(given), { code: 'USAGE' }, given)
})

test('two commands open one id differently at once: the second in the log ends with JOB_EXISTS', async t => {
  const { env, jobs } = await place(t)
  const open = (id: string, columns: string) => jobs('open', '--job', id, '--columns', columns)
  for (const both of [
    [open('same', 'SKU,TEXT'), open('same', 'SKU,OTHER')],
    [open('mixed', 'ID,A'), publishing(t, env)('--job', 'mixed')],
  ]) {
    const outcomes = await Promise.all(both)
    const said = outcomes.map(({ stderr }) => stderr).join('')
    assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 2], said)
    assert.match(outcomes.find(({ code }) => code === 2)!.stderr, /job \w+ exists already .*\[JOB_EXISTS\]/)
  }
})
