import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeStatus } from '../../../src/cli/status/describe-status.ts'
import type { JobView, PipelineView, WaitView } from '../../../src/watch/view.ts'
import { aJob, aPartition, aView, aWorker, HOSTILE, MADE_AT } from '../../helpers/made-view.ts'

function textOf(view: PipelineView, { job = null as string | null, width = 80, all = false } = {}): string {
  return describeStatus(view, job, { width, all })
    .map(({ text }) => text)
    .join('\n')
}

const WAIT: WaitView = {
  reason: 'slow-batch',
  row: 500,
  partition: 0,
  worker: 'mill-4711-1',
  since: MADE_AT - 45_000,
  text: 'row 500 (partition 0) is in the classifier of worker mill-4711-1 for 45 s; batches take 0.4 s on average',
}

test('the only open job is shown in full: what it does, what it waits for, its numbers, its lag and its workers', () => {
  const text = textOf(aView({ jobs: [aJob({ id: 'done', phase: 'complete' }), aJob({ waitsFor: WAIT })] }))
  assert.equal(
    text,
    `job orders is running: all rows are published, 50 % classified, about 50 s left
opened 2026-03-01 01:59:00 UTC, 1 min 0 s ago, by publish; pipeline rowmill at
  127.0.0.1:9092

What it waits for: row 500 (partition 0) is in the classifier of worker
  mill-4711-1 for 45 s; batches take 0.4 s on average

  published   1,000 of 1,000  100 %
  classified    500 of 1,000  50 %   now 10 rows/s  on average 8 rows/s
  written       480 of 1,000  48 %

2 of 2 partitions have rows without a result
  partition 0  250 rows  oldest 31 s  5 rows/s  mill-4711-1
  partition 1  250 rows  oldest 31 s  5 rows/s  mill-4711-1

1 worker: 1 busy
  time of all workers: 90 % classifying, 2 % sending results, 4 % waiting for
    rows, 4 % starting the classifier
  mill-4711-1 (pid 4711): classifies 100 rows from row 500 for 2.5 s; 500 rows
    at 10 rows/s; partitions 0, 1`,
  )
})

test('docs/watch.md shows a job that needs somebody as it is shown', () => {
  const partitions = [3, 4].map(partition =>
    aPartition({
      partition,
      lagRows: 250_000,
      lagSeconds: 125,
      rowsPerSecond: 0,
      owner: null,
      blocks: partition === 3,
    }),
  )
  const job = aJob({
    ...{ phase: 'stalled', openedAt: MADE_AT - 2_880_000, movedAt: MADE_AT - 125_000, partitions },
    rows: { total: 1_000_000, published: 1_000_000, classified: 500_000, written: 480_000, rejected: 0 },
    rate: { now: 0, average: 850 },
    waitsFor: {
      ...{ reason: 'no-worker', row: 500_300, partition: 3, worker: null, since: MADE_AT - 125_000 },
      text: 'row 500300 (partition 3) waits for a worker: none is in pipeline rowmill',
    },
    help: {
      why: 'start a worker',
      command: 'rowmill work --classifier FILE --pipeline rowmill --brokers 127.0.0.1:9092',
    },
  })
  const page = readFileSync(join(import.meta.dirname, '../../../docs/watch.md'), 'utf8')
  const [, shown] = /```text\n(job orders is stalled[\s\S]*?)\n```/.exec(page)!
  assert.equal(shown, textOf(aView({ jobs: [job], workers: [] })))
})

test('each phase has a sentence of its own', () => {
  const first = (parts: Parameters<typeof aJob>[0]) =>
    textOf(aView({ jobs: [aJob(parts)] }), { job: 'orders', width: 200 }).split('\n')[0]
  assert.equal(first({ phase: 'waiting' }), 'job orders is open, and no row is published yet')
  assert.equal(
    first({
      phase: 'publishing',
      etaSeconds: null,
      rows: { total: null, published: 5, classified: 3, written: null, rejected: 0 },
    }),
    'job orders is running: rows are being published and classified',
  )
  assert.equal(
    first({ phase: 'writing' }),
    'job orders is nearly done: every row is classified, and not every row is written',
  )
  assert.equal(first({ phase: 'complete' }), 'job orders is complete')
  assert.equal(
    first({ phase: 'complete', rows: { total: 9, published: 9, classified: 9, written: 8, rejected: 1 } }),
    'job orders is complete, but 1 row was rejected',
  )
  assert.equal(first({ phase: 'cancelled' }), 'job orders was cancelled')
  assert.equal(first({ phase: 'failed', attempt: 2 }), 'job orders, attempt 2, failed')
  assert.equal(
    first({ phase: 'stalled', movedAt: MADE_AT - 125_000 }),
    'job orders is stalled: rows wait, and nothing moved for 2 min 5 s',
  )
})

test('a failed job says why, the command that helps on a line of its own, and then the rest of its message', () => {
  const failure = { code: 'CLASSIFIER_FAILED', place: 'row 7', message: 'ValueError: no\nTraceback\n  line 3' }
  const command = `rowmill rejects replay --job orders --pipeline rowmill --brokers 127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094`
  const job = aJob({ phase: 'failed', failure, help: { why: 'repair the classifier, then', command } })
  const lines = textOf(aView({ jobs: [job] }), { job: 'orders', width: 40 }).split('\n')
  assert.ok(lines.indexOf(command) > lines.indexOf('  row 7: ValueError: no'))
  assert.ok(lines.indexOf('  Traceback') > lines.indexOf(command))
  assert.ok(
    lines.every(line => line.length <= 40 || line === command),
    lines.join('\n'),
  )
})

test('a traceback is not wrapped: its carets stand below what they point at', () => {
  const [code, carets] = [
    `    ${'x'.repeat(30)}(df['A'] + df['B'] + df['C'], df['D'])`,
    `${' '.repeat(34)}~~~~~~~~^^^^^`,
  ]
  const message = ['ValueError: no', 'Traceback', code, carets].join('\n')
  const failure = { code: 'CLASSIFIER_FAILED', place: 'row 7', message }
  const text = textOf(aView({ jobs: [aJob({ phase: 'failed', failure })] }), { job: 'orders', width: 40 })
  assert.ok(text.includes(`\n  Traceback\n  ${code}\n  ${carets}\n`), text)
})

test('without one job to show there is a line for each: open ones first, then the latest ten', () => {
  const over = Array.from({ length: 12 }, (_, at) => aJob({ id: `old-${at}`, phase: 'complete', etaSeconds: null }))
  const jobs = [
    ...over,
    aJob({ id: 'a' }),
    aJob({ id: 'b', phase: 'stalled', waitsFor: WAIT, movedAt: MADE_AT - 60_000 }),
  ]
  const text = textOf(aView({ jobs }))
  assert.match(
    text,
    /^pipeline rowmill at 127\.0\.0\.1:9092: 2 open jobs, 1 worker: 1 busy\njob b is stalled: rows wait/,
  )
  const listed = [...text.matchAll(/^ {2}(\S+) {2,}/gm)].map(([, id]) => id)
  assert.deepEqual(listed, [
    'a',
    'b',
    ...over
      .slice(2)
      .map(({ id }) => id)
      .reverse(),
  ])
  assert.match(text, /\n {2}2 older: --all shows them$/)
  assert.match(textOf(aView({ jobs }), { all: true }), /\n {2}old-0 /)
  assert.equal(textOf(aView({ jobs: [], workers: [] })), 'pipeline rowmill at 127.0.0.1:9092: no open job, no worker')
})

test('several jobs in trouble are told about once for each cause, the stalled ones first, and all of them are named', () => {
  const stuck = (id: string, parts: Partial<JobView>) =>
    aJob({ id, help: { why: `help ${parts.waitsFor!.reason}`, command: null }, ...parts })
  const noWorker = { ...WAIT, reason: 'no-worker', worker: null, text: 'row 5 waits for a worker' } as const
  const silent = { ...WAIT, reason: 'publisher-silent', worker: null, text: 'row 7 is not published' } as const
  const jobs = [
    stuck('a', { waitsFor: silent }),
    ...['b', 'c', 'd'].map(id => stuck(id, { waitsFor: noWorker, phase: id === 'c' ? 'stalled' : 'classifying' })),
    ...['e', 'f', 'g'].map(id => stuck(id, { waitsFor: silent })),
    aJob({ id: 'fine' }),
  ]
  const [, trouble] = /^.*\n([\s\S]*?)\n {2}a {2}/.exec(textOf(aView({ jobs }), { width: 120 }))!
  assert.equal(
    trouble,
    `job c is stalled: rows wait, and nothing moved for 1 s: row 5 waits for a worker
  job b, job d for the same reason
To help: help no-worker.
job a: row 7 is not published
To help: help publisher-silent.
job e: row 7 is not published
To help: help publisher-silent.
also in trouble: job f, job g`,
  )
})

test('the only job of a pipeline is shown in full, also when it is over, without an average that nobody saw', () => {
  const over = aJob({ phase: 'complete', rate: { now: 0, average: 0 }, waitsFor: null })
  const text = textOf(aView({ jobs: [over] }))
  assert.match(text, /^job orders is complete\n/)
  assert.match(text, /\n {2}classified {4}500 of 1,000 {2}50 %\n/)
})

test('the partition that the output waits for and the worker that is silent come first, and --all shows the rest', () => {
  const partitions = Array.from({ length: 20 }, (_, partition) =>
    aPartition({ partition, lagSeconds: partition, blocks: partition === 3 }),
  )
  const workers = Array.from({ length: 20 }, (_, at) =>
    aWorker({ name: `mill-${at}-1`, state: at === 9 ? 'silent' : 'busy' }),
  )
  const view = aView({ jobs: [aJob({ partitions })], workers })
  const text = textOf(view, { width: 100 })
  const rows = [...text.matchAll(/^ {2}partition +(\d+) /gm)].map(([, partition]) => partition)
  assert.deepEqual(rows, ['3', '19', '18', '17', '16', '15', '14', '13'])
  assert.match(text, /partition 3 .* the next row\n/)
  assert.match(
    text,
    /12 more: --all shows them\n\n20 workers: 1 silent, 19 busy\n {2}time of all workers: [^\n]+\n {4}classifier\n {2}mill-9-1 \(pid 4711\): silent for 1 s/,
  )
  assert.doesNotMatch(textOf(view, { all: true }), /--all/)
})

test('a worker that does not report, a restarted one and one that is not named after its process say so', () => {
  const workers = [
    aWorker({ name: 'x', process: null, pid: null, batch: null, state: 'idle' }),
    aWorker({ name: 'mill-1-1', pid: 1, restarts: 2, rejected: 3, state: 'idle', batch: null }),
    aWorker({ name: 'hung', classifierRestarts: { CLASSIFIER_TIMEOUT: 3, CLASSIFIER_DIED: 1 } }),
    aWorker({ name: 'odd', batch: { ...aWorker().batch!, job: 'other', row: null } }),
  ]
  const text = textOf(aView({ workers }), { width: 200 })
  assert.match(text, /\n {2}x \(mill\): in the consumer group, does not report what it does; partitions 0, 1/)
  assert.match(
    text,
    /\n {2}mill-1-1 \(pid 1\): idle: it has no rows; 500 rows at 10 rows\/s; 3 rejected; partitions 0, 1; restarted 2 times/,
  )
  assert.match(
    text,
    /partitions 0, 1; classifier started again 3 times \(CLASSIFIER_TIMEOUT\); classifier started again once\s+\(CLASSIFIER_DIED\)/,
  )
  assert.match(text, /\n {2}odd \(mill, pid 4711\): classifies 100 rows of job other for 2\.5 s/)
})

test('rejects are counted by reason, the most frequent first, with the last of them', () => {
  const rows = { total: 1000, published: 1000, classified: 500, written: 480, rejected: 12 }
  const lastRejects = [{ row: 5, line: 7, reason: 'CLASSIFIER_FAILED', detail: 'ValueError: x\nmore' }]
  const rejectsByReason = { CLASSIFIER_TIMEOUT: 2, CLASSIFIER_FAILED: 10 }
  const text = textOf(aView({ jobs: [aJob({ rows, rejectsByReason, lastRejects })] }))
  assert.match(
    text,
    /\n12 rows were rejected: 10 CLASSIFIER_FAILED, 2 CLASSIFIER_TIMEOUT\n {2}row 5 \(line 7\): CLASSIFIER_FAILED ValueError: x\n/,
  )
})

test('an outage is said first, and since when', () => {
  const text = textOf(aView({ unreachableSince: MADE_AT - 4000 }))
  assert.match(text, /^no broker of 127\.0\.0\.1:9092 has answered for 4 s\. This was true before:\n/)
})

test('no text of others reaches the terminal as it is, at any width', () => {
  const job = aJob({
    ...{
      id: HOSTILE,
      by: HOSTILE,
      topic: HOSTILE,
      phase: 'stalled',
      failure: { code: HOSTILE, place: HOSTILE, message: HOSTILE },
    },
    waitsFor: { ...WAIT, text: HOSTILE },
    help: { why: HOSTILE, command: HOSTILE },
    rows: { total: 9, published: 9, classified: 9, written: 9, rejected: 9 },
    rejectsByReason: { [HOSTILE]: 9 },
    lastRejects: [{ row: 1, line: 1, reason: HOSTILE, detail: HOSTILE }],
    partitions: [aPartition({ owner: HOSTILE, blocks: true })],
  })
  const workers = [aWorker({ name: HOSTILE, host: HOSTILE, batch: { ...aWorker().batch!, job: HOSTILE } })]
  const view = aView({ pipeline: HOSTILE, brokers: HOSTILE, unreachableSince: 0, jobs: [job], workers })
  for (const shown of [view, { ...view, jobs: [job, aJob()] }])
    for (const width of [20, 40, 80, 400]) {
      const text = textOf(shown, { width })
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Bidi_Control}]/u)
      assert.match(text.replaceAll(/\n */g, ''), /\\u001b\[2J/)
    }
})
