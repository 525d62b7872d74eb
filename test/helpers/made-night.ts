import type { EventView, JobView, PartitionView, PipelineView } from '../../src/watch/view.ts'
import { aJob, aPartition, aProcess, aView, aWorker } from './made-view.ts'

const MINUTE = 60_000
const ROWS = 1_000_000
const PARTITIONS = 8
const WORKERS = ['mill-a-812-1', 'mill-a-812-2', 'mill-b-77-1', 'mill-b-77-2']

/**
 * Ten minutes of a night, a view every two seconds, the last at `now`: a job of a million rows in 8 partitions with 4 workers on two
 * machines. One of them was killed after four minutes, and one froze 95 s ago: it holds up the output.
 */
export function nightScene(now: number): PipelineView[] {
  const views: PipelineView[] = []
  for (let at = now - 10 * MINUTE; at <= now; at += 2000) views.push(viewAt(at, now))
  return views
}

function viewAt(at: number, now: number): PipelineView {
  const begun = now - 10 * MINUTE
  const killedAt = now - 6 * MINUTE
  const frozenAt = now - 95_000
  const isFrozen = at >= frozenAt
  const elapsed = (at - begun) / 1000
  const wave = 40 * Math.sin(elapsed / 9) + 25 * Math.sin(elapsed / 2.3)
  const slow = (from: number, until: number) => Math.max(0, Math.min(at, until) - from) / 1000
  const rate = isFrozen ? 890 : 1240
  const classified = Math.round(
    elapsed * 1240 - slow(killedAt, killedAt + 20_000) * 500 - slow(frozenAt, at) * 350 + wave,
  )
  const written = isFrozen ? Math.round(classified - slow(frozenAt, at) * 850) : Math.max(0, classified - 900)
  const published = Math.min(ROWS, Math.round(elapsed * 2400 + wave * 3))
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) =>
    partitionAt(partition, { published, classified, isFrozen, at, frozenAt }),
  )
  const events = eventsOf(now).filter(event => event.at <= at)
  const orders = aJob({
    ...{ id: 'orders-2026-11-28', openedAt: begun, movedAt: at, partitions },
    rows: { total: ROWS, published, classified, written, rejected: 3 },
    rate: { now: rate, average: 1190 },
    etaSeconds: isFrozen ? null : (ROWS - classified) / rate,
    rejectsByReason: { CLASSIFIER_FAILED: 2, MALFORMED_ROW: 1 },
    lastRejects: [
      { row: 11_907, line: 11_909, reason: 'MALFORMED_ROW', detail: '9 fields, but the header has 8 columns' },
      {
        row: 104_311,
        line: 104_313,
        reason: 'CLASSIFIER_FAILED',
        detail: "ValueError: could not convert string to float: 'n/a'",
      },
      { row: 288_540, line: 288_542, reason: 'CLASSIFIER_FAILED', detail: "KeyError: 'amount'" },
    ],
    waitsFor: isFrozen
      ? {
          ...{ reason: 'worker-silent', row: 511_300, partition: 5, worker: 'mill-b-77-1', since: frozenAt },
          text: 'Row 511,300 in partition 5 was given to worker mill-b-77-1 on mill-b. The process is there, but says nothing: it may be frozen, or its machine may be.',
        }
      : null,
    help: isFrozen
      ? {
          why: 'End the worker, if it hangs: it is started again, and its rows are classified:',
          command: 'ssh mill-b kill -9 91',
        }
      : null,
  })
  return aView({
    ...{ pipeline: 'rowmill', brokers: 'kafka-1:9092,kafka-2:9092', at, events },
    jobs: [...earlierJobs(now), orders],
    workers: WORKERS.map((name, place) => workerAt(name, place, { at, isFrozen, frozenAt, elapsed })),
    processes: [
      aProcess({ process: 'mill-a-812', host: 'mill-a', pid: 812 }),
      aProcess({ process: 'mill-b-77', host: 'mill-b', pid: 77 }),
    ],
  })
}

function earlierJobs(now: number): JobView[] {
  const done = (rows: number, rejected = 0) => ({
    total: rows,
    published: rows,
    classified: rows,
    written: rows,
    rejected,
  })
  const over = { rate: { now: 0, average: 1180 }, etaSeconds: null, partitions: [] as PartitionView[] }
  return [
    aJob({
      ...over,
      id: 'orders-2026-11-27',
      phase: 'complete',
      rows: done(991_377, 12),
      openedAt: now - 1450 * MINUTE,
      movedAt: now - 1430 * MINUTE,
    }),
    aJob({
      ...{
        ...over,
        id: 'returns-2026-11-27',
        phase: 'failed',
        openedAt: now - 1400 * MINUTE,
        movedAt: now - 1399 * MINUTE,
      },
      rows: { total: 40_000, published: 40_000, classified: 8_210, written: 8_000, rejected: 101 },
      failure: { code: 'TOO_MANY_REJECTS', place: 'row 8210', message: '101 rows were rejected, and 100 may be' },
    }),
  ]
}

interface Moment {
  readonly published: number
  readonly classified: number
  readonly isFrozen: boolean
  readonly at: number
  readonly frozenAt: number
}

function partitionAt(partition: number, { published, classified, isFrozen, at, frozenAt }: Moment): PartitionView {
  const blocks = isFrozen && partition === 5
  const held = blocks || (isFrozen && partition === 4)
  const waits = held ? ((at - frozenAt) / 1000) * 150 : 0
  const lagRows = Math.round((published - classified) / PARTITIONS + waits)
  return aPartition({
    ...{ partition, blocks, lagRows, total: ROWS / PARTITIONS, owner: WORKERS[Math.floor(partition / 2)]! },
    published: Math.round(published / PARTITIONS),
    classified: Math.round(published / PARTITIONS) - lagRows,
    lagSeconds: held ? (at - frozenAt) / 1000 + 40 : 31 + partition,
    rowsPerSecond: held ? 0 : 148 + partition,
  })
}

function workerAt(
  name: string,
  place: number,
  { at, isFrozen, frozenAt, elapsed }: Pick<Moment, 'at' | 'isFrozen' | 'frozenAt'> & { elapsed: number },
) {
  const isSilent = isFrozen && place === 2
  const host = name.slice(0, 6)
  const here = { topic: 'rowmill.bulk', partition: place * 2 }
  return aWorker({
    ...{ name, host, pid: 820 + place, process: name.slice(0, -2), restarts: place === 1 ? 1 : 0 },
    state: isSilent ? 'silent' : 'busy',
    silentSeconds: isSilent ? (at - frozenAt) / 1000 : 0.3,
    partitions: [here, { ...here, partition: place * 2 + 1 }],
    batch: {
      ...here,
      job: 'orders-2026-11-28',
      row: 511_300 + place * 100,
      rows: 100,
      seconds: isSilent ? (at - frozenAt) / 1000 : 0.2 + place / 10,
    },
    rows: Math.round(elapsed * 298),
    rowsPerSecond: isSilent ? 0 : 296 + place,
    time: { start: elapsed * 0.01, classify: elapsed * 0.84, send: elapsed * 0.05, wait: elapsed * 0.1 },
  })
}

function eventsOf(now: number): EventView[] {
  const begun = now - 10 * MINUTE
  const events: Omit<EventView, 'number'>[] = [
    {
      at: begun + 1000,
      kind: 'job-opened',
      job: 'orders-2026-11-28',
      worker: null,
      text: 'Job orders-2026-11-28 was opened.',
    },
    {
      at: begun + 3000,
      kind: 'worker-started',
      job: null,
      worker: WORKERS[0]!,
      text: 'Four workers started on mill-a and mill-b.',
    },
    {
      at: now - 6 * MINUTE,
      kind: 'worker-gone',
      job: null,
      worker: WORKERS[1]!,
      text: 'Worker mill-a-812-2 ended without a word: it was killed.',
    },
    {
      at: now - 6 * MINUTE + 2000,
      kind: 'rebalance',
      job: null,
      worker: null,
      text: 'Its partitions 2 and 3 went to other workers.',
    },
    {
      at: now - 6 * MINUTE + 9000,
      kind: 'worker-restarted',
      job: null,
      worker: WORKERS[1]!,
      text: 'Worker mill-a-812-2 was started again.',
    },
    {
      at: now - 3 * MINUTE,
      kind: 'rejects',
      job: 'orders-2026-11-28',
      worker: null,
      text: 'Job orders-2026-11-28: row 288,540 was rejected (CLASSIFIER_FAILED).',
    },
    {
      at: now - 90_000,
      kind: 'worker-silent',
      job: null,
      worker: WORKERS[2]!,
      text: 'Worker mill-b-77-1 stopped answering.',
    },
  ]
  return events.map((event, number) => ({ ...event, number }))
}
