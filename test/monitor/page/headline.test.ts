import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headlineOf, jobOfInterest, othersInTrouble } from '../../../src/monitor/page/headline.ts'
import type { JobView, NoTopicsView, WaitReason, WaitView } from '../../../src/watch/view.ts'
import { aJob, aView, MADE_AT } from '../../helpers/made-view.ts'

const waits = (reason: WaitReason, parts: Partial<WaitView> = {}): WaitView => ({
  ...{ reason, row: 500, partition: 7, worker: 'mill-4711-1', since: MADE_AT - 14_000, text: 'The whole story.' },
  ...parts,
})
const say = (job: JobView) => {
  const { tone, sentence } = headlineOf(aView({ jobs: [job] }), job)
  return `${tone}: ${sentence}`
}

test('the sentence says what the job waits for, by the reason', () => {
  const said: Record<WaitReason, string> = {
    publisher: 'good: Job orders is running: 50 % of its rows are classified.',
    'publisher-silent': 'bad: Job orders waits for rows: its publisher stopped before it was done.',
    'no-worker': 'bad: Job orders waits for a worker: none is running.',
    'worker-starting': 'wait: Job orders waits for its workers, which are starting.',
    queued: 'good: Job orders is running: 50 % of its rows are classified.',
    classifying: 'good: Job orders is running: 50 % of its rows are classified.',
    'slow-batch': 'wait: Job orders waits for one slow batch in partition 7.',
    'worker-silent': 'bad: Job orders waits for worker mill-4711-1, which stopped answering.',
    rebalance: 'wait: Job orders waits for a worker to take over partition 7.',
    'open-transaction': 'bad: Job orders waits for a transaction that another producer left open in partition 7.',
    'no-leader': 'bad: Job orders waits for a Kafka broker that is away: a partition has no leader without it.',
    'no-collector': 'bad: Job orders waits for a collector: nothing writes its results.',
    collector: 'good: Job orders is running: 50 % of its rows are classified.',
    'collector-silent': 'bad: Job orders waits for its collector, which stopped answering.',
    'run-ended': 'bad: Job orders waits for its rowmill run, which has ended.',
    broker: 'bad: Job orders waits for the Kafka broker.',
  }
  for (const [reason, sentence] of Object.entries(said) as [WaitReason, string][])
    assert.equal(say(aJob({ waitsFor: waits(reason) })), sentence)
})

test('a trouble has a moment, the whole story and the command that helps', () => {
  const help = { why: 'start one:', command: 'rowmill work' }
  const job = aJob({ phase: 'stalled', waitsFor: waits('no-worker'), help })
  assert.deepEqual(headlineOf(aView(), job), {
    ...{
      tone: 'bad',
      job: 'orders',
      sentence: 'Job orders waits for a worker: none is running.',
      since: MADE_AT - 14_000,
    },
    ...{
      isOver: false,
      etaSeconds: null,
      detail: 'The whole story.',
      trace: null,
      help: { ...help, why: 'Start one:' },
    },
  })
})

test('each phase has a sentence', () => {
  const failure = { code: 'TOO_MANY_REJECTS', place: 'row 8', message: '9 rows were rejected, and 8 may be' }
  assert.equal(say(aJob({ phase: 'waiting' })), 'wait: Job orders waits for its first row.')
  assert.equal(say(aJob({ phase: 'publishing' })), 'good: Job orders is running: rows are still being published.')
  assert.equal(say(aJob({ phase: 'writing' })), 'good: Job orders is almost done: its last rows are being written.')
  assert.equal(say(aJob({ phase: 'stalled' })), 'bad: Job orders is stalled: rows wait, and nothing moves.')
  const still = (reason: WaitReason, worker: string | null = null) =>
    say(aJob({ phase: 'stalled', waitsFor: waits(reason, { worker }) }))
  assert.equal(
    still('queued', 'mill-4711-1'),
    'bad: Job orders waits for worker mill-4711-1, which has sent no result for a long time.',
  )
  assert.equal(still('publisher'), 'bad: Job orders waits for its publisher, which has sent no row for a long time.')
  assert.equal(still('collector'), 'bad: Job orders waits for its collector, which has written no row for a long time.')
  assert.equal(say(aJob({ phase: 'complete' })), 'done: Job orders is complete.')
  assert.equal(say(aJob({ phase: 'cancelled' })), 'idle: Job orders was cancelled.')
  assert.equal(say(aJob({ phase: 'failed', failure })), 'bad: Job orders failed.')
  assert.equal(
    headlineOf(aView(), aJob({ phase: 'failed', failure })).detail,
    'row 8: 9 rows were rejected, and 8 may be [TOO_MANY_REJECTS]',
  )
  const withTrace = { ...failure, message: 'KeyError\n    df["A"]\n       ^^^' }
  const { detail, trace } = headlineOf(aView(), aJob({ phase: 'failed', failure: withTrace }))
  assert.deepEqual([detail, trace], ['row 8: KeyError [TOO_MANY_REJECTS]', '    df["A"]\n       ^^^'])
  const rows = { ...aJob().rows, rejected: 1200 }
  assert.equal(say(aJob({ phase: 'complete', rows })), 'done: Job orders is complete, but 1,200 rows were rejected.')
  assert.equal(
    say(aJob({ rows: { ...rows, total: null } })),
    'wait: Job orders is running: its rows are being classified, but some rows were rejected.',
  )
  assert.equal(
    say(aJob({ rows: { ...rows, classified: 1200, total: 4800 } })),
    'wait: Job orders is running: 25 % of its rows are classified, and every result so far is a reject.',
  )
})

test('a job that runs says until when, and that nothing holds it up', () => {
  const { since, etaSeconds, detail } = headlineOf(aView(), aJob({ etaSeconds: 50 }))
  assert.deepEqual([since, etaSeconds, detail], [null, 50, 'Nothing holds it up.'])
  assert.equal(headlineOf(aView(), aJob({ waitsFor: waits('queued', { text: 'row 5 waits' }) })).detail, 'Row 5 waits.')
  assert.equal(headlineOf(aView(), aJob({ etaSeconds: 13_000, rate: { now: 0, average: 8 } })).etaSeconds, null)
})

test('before the first look, without a job and without a broker it says so', () => {
  assert.equal(headlineOf(null, null).sentence, 'Reading the pipeline for the first time.')
  const none = headlineOf(aView({ jobs: [] }), null)
  assert.equal(none.sentence, 'There is no job yet.')
  assert.equal(none.help!.command, 'rowmill publish rows.csv --pipeline rowmill --brokers 127.0.0.1:9092')
  const lost = headlineOf(aView({ unreachableSince: MADE_AT - 3000 }), aJob())
  assert.equal(lost.sentence, 'No Kafka broker answers at 127.0.0.1:9092.')
  assert.equal(lost.since, MADE_AT - 3000)
  assert.equal(lost.help!.command, 'rowmill doctor --brokers 127.0.0.1:9092')
})

test('without topics it says whether they come or are gone, and of a run that it is over', () => {
  const without = (parts: Partial<NoTopicsView>, pipeline = 'orders') => {
    const noTopics = { since: MADE_AT, missing: `${pipeline}.jobs`, wereThere: false, lastJob: null, ...parts }
    return headlineOf(aView({ pipeline, noTopics, jobs: [], workers: [] }), null)
  }
  const none = without({})
  assert.equal(none.sentence, 'Pipeline orders has no topics yet: start rowmill publish or rowmill work.')
  assert.deepEqual(
    [none.tone, none.help!.command],
    ['wait', 'rowmill publish rows.csv --pipeline orders --brokers 127.0.0.1:9092'],
  )
  const gone = without({ wereThere: true, lastJob: aJob() })
  assert.deepEqual([gone.sentence, gone.tone, gone.since], ['The topics of pipeline orders are gone.', 'bad', MADE_AT])
  assert.equal(
    gone.detail,
    'Topic orders.jobs does not exist. Before that: Job orders is running: 50 % of its rows are classified.',
  )
  const run = 'rowmill-20260301T020000-0a1b2c'
  const early = without({}, run)
  assert.equal(early.sentence, `Pipeline ${run} has no topics: its run has not made them yet, or is over.`)
  assert.equal(early.help, null)
  const over = without({ wereThere: true, lastJob: aJob() }, run)
  assert.deepEqual([over.sentence, over.tone, over.isOver], ['The run is over.', 'idle', true])
  assert.match(over.detail!, /^Before that: Job orders is running: .* Its terminal says how it ended\.$/)
  const complete = without({ wereThere: true, lastJob: aJob({ phase: 'complete' }) }, run)
  assert.deepEqual([complete.tone, complete.detail], ['done', 'Before that: Job orders is complete.'])
})

test('the job in trouble comes first, then an open one, then the latest; the others in trouble are named', () => {
  const done = aJob({ id: 'done', phase: 'complete' })
  const failed = aJob({ id: 'failed', phase: 'failed', movedAt: MADE_AT - 60_000 })
  const longFailed = aJob({ id: 'long-failed', phase: 'failed', movedAt: MADE_AT - 4_000_000 })
  const open = aJob({ id: 'open' })
  const slow = aJob({ id: 'slow', waitsFor: waits('slow-batch') })
  const stuck = aJob({ id: 'stuck', waitsFor: waits('no-worker') })
  const idOf = (...jobs: JobView[]) => jobOfInterest(aView({ jobs }))?.id
  assert.equal(idOf(), undefined)
  assert.equal(idOf(failed, done), 'done')
  assert.equal(idOf(open, done), 'open')
  assert.equal(idOf(open, slow, done), 'slow')
  assert.equal(idOf(open, slow, stuck, done), 'stuck')
  assert.deepEqual(
    othersInTrouble(aView({ jobs: [longFailed, failed, stuck, slow, open, done] }), 'stuck').map(({ job }) => job),
    ['failed'],
  )
  assert.deepEqual(
    othersInTrouble(aView({ jobs: [stuck, open] }), 'open').map(({ sentence }) => sentence),
    ['Job stuck waits for a worker: none is running.'],
  )
})

test('several jobs that wait for the same thing are one sentence, and not named again below it', () => {
  const stuck = ['a', 'b', 'c'].map(id => aJob({ id, waitsFor: waits('no-worker') }))
  const other = aJob({ id: 'd', waitsFor: waits('publisher-silent') })
  const view = aView({ jobs: [...stuck, other] })
  const { sentence } = headlineOf(view, stuck[0]!)
  assert.equal(sentence, 'Job a and 2 other jobs wait for a worker: none is running.')
  assert.deepEqual(
    othersInTrouble(view, 'a').map(({ job }) => job),
    ['d'],
  )
  assert.equal(headlineOf(view, other).sentence, 'Job d waits for rows: its publisher stopped before it was done.')
  assert.deepEqual(
    othersInTrouble(view, 'd').map(({ job }) => job),
    ['c', 'b', 'a'],
  )
})
