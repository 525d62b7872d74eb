import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job } from '../../src/model.ts'
import type { CollectingReport, PublishingReport, Report, WorkerReport } from '../../src/reports/report.ts'
import { assembleView } from '../../src/watch/assemble-view.ts'
import type { JobFacts, PipelineFacts } from '../../src/watch/facts.ts'
import { resultRecord } from '../helpers/result-record.ts'
import {
  madeFacts,
  madeJob,
  madeJobFacts,
  madePartition,
  madeReport,
  madeWorker,
  NOW,
  workersReport,
} from './made-facts.ts'

const viewOf = (facts: PipelineFacts) => assembleView(facts).jobs[0]!
const waitOf = (facts: PipelineFacts) => viewOf(facts).waitsFor!
const batch = { topic: 'p.rows', partition: 0, job: 'j', row: 20, rows: 10, seconds: 4 }

const member = {
  ...{ memberId: 'host-7-1-uuid', clientId: 'host-7-1', host: '127.0.0.1' },
  partitions: [{ topic: 'p.rows', partition: 0 }],
}

/** By case: the facts, and what the view then says: why, which worker, since how many seconds, the sentence, the command. */
const CASES: Record<string, [PipelineFacts, string, string | null, number | null, string, string | null]> = {
  'a row in the classifier': [
    madeFacts({ reports: [[workersReport([madeWorker({ batch })]), 2]] }),
    ...(['classifying', 'host-7-1', 4] as const),
    'row 20 (partition 0) has been in the classifier of worker host-7-1 for 4 s, with rows 20 to 29; so many rows take 0.1 s on average',
    null,
  ],
  'a row in the classifier for longer than a report takes': [
    madeFacts({ reports: [[workersReport([madeWorker({ batch: { ...batch, seconds: 0 } })]), 4]] }),
    ...(['classifying', 'host-7-1', 4] as const),
    'row 20 (partition 0) has been in the classifier of worker host-7-1 for 4 s, with rows 20 to 29; so many rows take 0.1 s on average',
    null,
  ],
  'a batch that takes too long': [
    madeFacts({ reports: [[workersReport([madeWorker({ batch: { ...batch, seconds: 60 } })]), 0]] }),
    ...(['slow-batch', 'host-7-1', 60] as const),
    'row 20 (partition 0) has been in the classifier of worker host-7-1 for 60 s, with rows 20 to 29; so many rows take 0.1 s on average',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'a worker that has other rows': [
    madeFacts({ reports: [[workersReport([madeWorker({ batch: { ...batch, partition: 1, row: 10 } })]), 0]] }),
    ...(['queued', 'host-7-1', 60] as const),
    'row 20 (partition 0) waits until worker host-7-1 has classified rows 10 to 19 of job j, which it has had for 4 s',
    null,
  ],
  'a worker that has other rows for too long': [
    madeFacts({
      reports: [[workersReport([madeWorker({ batch: { ...batch, partition: 1, row: 10, seconds: 17 } })]), 0]],
    }),
    ...(['slow-batch', 'host-7-1', 17] as const),
    'row 20 (partition 0) waits until worker host-7-1 has classified rows 10 to 19 of job j, which it has had for 17 s; so many rows take 0.1 s on average',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'a frozen worker that its group has expelled, while there is no other': [
    madeFacts({
      reports: [[workersReport([madeWorker({ heardSeconds: 8 })]), 0]],
      group: { state: 'PreparingRebalance', members: [], allowed: null },
    }),
    ...(['worker-silent', 'host-7-1', 8] as const),
    'row 20 (partition 0) is with worker host-7-1 on host, which has not been heard of for 8 s',
    'kill -9 8',
  ],
  'a worker that starts': [
    madeFacts({ reports: [[workersReport([madeWorker({ state: 'starting' })]), 0]] }),
    ...(['worker-starting', 'host-7-1', 60] as const),
    'row 20 (partition 0) waits until the classifier of worker host-7-1 is started',
    null,
  ],
  'a frozen worker': [
    madeFacts({ reports: [[workersReport([madeWorker({ batch, heardSeconds: 30 })]), 1]] }),
    ...(['worker-silent', 'host-7-1', 31] as const),
    'row 20 (partition 0) is with worker host-7-1 on host, which has not been heard of for 31 s',
    'kill -9 8',
  ],
  'a worker whose process is silent': [
    madeFacts({ reports: [[workersReport([madeWorker()]), 50]] }),
    ...(['worker-silent', 'host-7-1', 50] as const),
    'row 20 (partition 0) is with worker host-7-1 on host, which has not been heard of for 50 s',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'no worker': [
    madeFacts(),
    ...(['no-worker', null, 60] as const),
    'row 20 (partition 0) waits for a worker: none is in pipeline p',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'workers that ended': [
    madeFacts({ reports: [[workersReport([madeWorker()], { isLast: true }), 5]] }),
    ...(['no-worker', null, 60] as const),
    'row 20 (partition 0) waits for a worker: none is in pipeline p',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'a killed worker, which its group has expelled': [
    madeFacts({
      reports: [[workersReport([madeWorker()]), 50]],
      group: { state: 'Empty', members: [], allowed: null },
    }),
    ...(['no-worker', null, 60] as const),
    'row 20 (partition 0) waits for a worker: none is in pipeline p',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'a frozen worker that is still in its group': [
    madeFacts({
      reports: [[workersReport([madeWorker({ partitions: [] })]), 50]],
      group: { state: 'Stable', members: [member], allowed: null },
    }),
    ...(['worker-silent', 'host-7-1', 50] as const),
    'row 20 (partition 0) is with worker host-7-1 on host, which has not been heard of for 50 s',
    'rowmill work --classifier FILE --pipeline p --brokers kafka:9092',
  ],
  'a partition without an owner': [
    madeFacts({ reports: [[workersReport([madeWorker({ partitions: [] })]), 0]] }),
    ...(['rebalance', null, null] as const),
    'row 20 (partition 0) waits: no worker has its partition',
    null,
  ],
  'a group that is being rebalanced': [
    madeFacts({
      reports: [[workersReport([madeWorker({ partitions: [] })]), 0]],
      group: { state: 'PreparingRebalance', members: [], allowed: null },
    }),
    ...(['rebalance', null, null] as const),
    'row 20 (partition 0) waits: the workers are being given their partitions',
    null,
  ],
  'an open transaction': [
    madeFacts({
      reports: [[workersReport([madeWorker()]), 0]],
      partitions: [madePartition({ openTransaction: 1 }), madePartition()],
    }),
    ...(['open-transaction', null, 60] as const),
    'row 20 (partition 0) cannot be read: another producer has had a transaction open in p.rows[0] at offset 1, and all messages after it wait until it ends',
    'kafka-transactions.sh --bootstrap-server kafka:9092 describe-producers --topic p.rows --partition 0',
  ],
  'a partition that nobody leads': [
    madeFacts({ leaderless: [{ topic: 'p.rows', partition: 0, brokers: [3] }] }),
    ...(['no-leader', null, 5] as const),
    'partition 0 of p.rows has no leader: broker 3, which alone has it, is away',
    'rowmill doctor --pipeline p --brokers kafka:9092',
  ],
}
for (const [name, [facts, reason, worker, seconds, text, command]] of Object.entries(CASES))
  test(`what a job waits for: ${name}`, () => {
    const wait = waitOf(facts)
    const since = seconds === null ? null : NOW - seconds * 1000
    assert.deepEqual(wait, { reason, row: 20, partition: 0, worker, since, text })
    assert.equal(viewOf(facts).help?.command ?? null, command)
    assert.deepEqual(
      viewOf(facts).partitions.map(({ blocks }) => blocks),
      [true, false],
    )
  })

test('the command for a frozen worker ends only its own process, on its machine, and the supervisor starts it again', () => {
  const frozen = (worker: Partial<WorkerReport>, report: Partial<Report> = {}) =>
    viewOf(madeFacts({ reports: [[workersReport([madeWorker({ batch, heardSeconds: 30, ...worker })], report), 1]] }))
      .help
  const why = 'end the worker, if it hangs: it is started again, and its rows are classified'
  assert.deepEqual(frozen({}), { why, command: 'kill -9 8' })
  assert.deepEqual(frozen({}, { command: 'run' }), { why, command: 'kill -9 8' })
  assert.equal(frozen({}, { host: 'mill-b' })?.command, 'ssh mill-b kill -9 8')
  const { pid: _, ...older } = madeWorker({ batch, heardSeconds: 30 })
  const restart = { why: 'restart rowmill work on host (process 7)', command: null }
  assert.deepEqual(viewOf(madeFacts({ reports: [[workersReport([older]), 1]] })).help, restart)
  assert.equal(frozen({}, { host: '-oProxyCommand=x' })?.command, null)
})

test('a first batch is slow after 30 s: there is no average yet', () => {
  const after = (seconds: number) => {
    const worker = madeWorker({ rows: 0, secondsPerRow: null, batch: { ...batch, seconds } })
    return waitOf(madeFacts({ reports: [[workersReport([worker]), 0]] })).reason
  }
  assert.deepEqual([after(29), after(31)], ['classifying', 'slow-batch'])
})

test('a job that was stalled waits for a worker that has just come to start, not for one that sends nothing', () => {
  const after = (rows: number, openedSeconds: number) => {
    const job = { ...madeJobFacts(madeJob(), []), openedAt: NOW - openedSeconds * 1000 }
    const worker = madeWorker({ rows, batch: { ...batch, row: 0 } })
    return waitOf(madeFacts({ jobs: [job], reports: [[workersReport([worker]), 0]] })).reason
  }
  assert.deepEqual([after(0, 600), after(0, 30), after(10, 600)], ['worker-starting', 'classifying', 'classifying'])
})

test('the help for a slow batch says what happens by itself, and after how many seconds', () => {
  const worker = madeWorker({ batch: { ...batch, seconds: 60 } })
  const working = { restarts: 0, rebalances: 0, batchTimeout: 90, workers: [worker] }
  const why = (more: Partial<typeof working>) =>
    viewOf(madeFacts({ reports: [[madeReport({ working: { ...working, ...more } }), 0]] })).help!.why
  assert.equal(
    why({}),
    'a call that takes longer than --batch-timeout 90 s ends by itself. The classifier is then started again, and classifies ' +
      'the batch again, up to twice. If that does not help, it gets smaller and smaller parts of the batch, and only the rows that ' +
      'hang are rejected. Meanwhile another worker classifies the other rows',
  )
  const older = workersReport([worker])
  assert.match(viewOf(madeFacts({ reports: [[older, 0]] })).help!.why, /--batch-timeout \(default: 300 s\) ends/)
})

test('a worker of a run that is silent as a whole is helped by the same run', () => {
  const silent = madeFacts({ reports: [[workersReport([madeWorker()], { command: 'run' }), 50]] })
  assert.equal(viewOf(silent).help?.command, 'rowmill run --resume OUT')
})

test('the job of a run waits for the workers of that run, not for somebody who starts one', () => {
  const of = (run: JobFacts, seconds: number, reports: [Report, number][] = []) => {
    const { waitsFor, help } = viewOf({ ...madeFacts({ jobs: [run], reports }), stalledAfterMs: seconds * 1000 })
    return [waitsFor!.reason, waitsFor!.text, help?.command ?? null]
  }
  const job = madeJob({ by: 'run host/7/abc' })
  const row = 'row 0 (partition 0) waits for'
  const starting = ['worker-starting', `${row} the workers of its rowmill run, which are starting`, null]
  assert.deepEqual(of(madeJobFacts(job, []), 200), starting)
  const running = madeReport({ command: 'run', publishing: { job: 'j', published: 40, total: 40 } })
  assert.deepEqual(of(madeJobFacts(job, []), 60, [[running, 1]]), starting)
  const unheard = 'row 20 (partition 0) waits for a worker of its rowmill run'
  assert.deepEqual(of(madeJobFacts(job), 60), ['queued', unheard, null])
  const again = 'rowmill run --resume OUT'
  assert.deepEqual(of(madeJobFacts(job, []), 60), [
    'no-worker',
    `${row} a worker: its rowmill run does not report any`,
    again,
  ])
  assert.deepEqual(of(madeJobFacts(job), 1, [[running, 40]]).slice(2), [again])
})

test('a run of this machine that was killed has ended, and is resumed; one of another machine is silent', () => {
  const job = madeJob({ by: 'run host/7/abc' })
  const running = madeReport({ command: 'run', publishing: { job: 'j', published: 40, total: 40 } })
  const facts = madeFacts({ jobs: [madeJobFacts(job)], reports: [[running, 40]] })
  const seen = (host: string) => {
    const { jobs, processes } = assembleView({ ...facts, host, hasEnded: pid => pid === 7 })
    return [processes[0]!.state, jobs[0]!.waitsFor!.text, jobs[0]!.help!.command]
  }
  const again = 'rowmill run --resume OUT'
  const ended = 'row 20 (partition 0) waits for a worker, and rowmill run on host (process 7) has ended'
  assert.deepEqual(seen('host'), ['gone', ended, again])
  assert.equal(seen('elsewhere')[0], 'silent')
})

test('a job has no time to its end while what it waits for does not move', () => {
  const reports: [Report, number][] = [[workersReport([madeWorker()]), 0]]
  const etaOf = (facts: PipelineFacts) => viewOf(facts).etaSeconds
  assert.ok(etaOf(madeFacts({ reports }))! > 0)
  assert.equal(etaOf(madeFacts({ reports: [[workersReport([madeWorker({ heardSeconds: 9 })]), 0]] })), null, 'frozen')
  const two = [0, 1].map(at => madeWorker({ name: `host-7-${at}`, partitions: [{ topic: 'p.rows', partition: at }] }))
  const others = madeFacts({ jobs: [madeJobFacts(madeJob(), [0, 10])], reports: [[workersReport(two), 0]] })
  assert.deepEqual([waitOf(others).partition, etaOf(others)], [0, null], 'only the others move')
  assert.equal(etaOf(madeFacts()), null, 'no worker')
  assert.equal(etaOf({ ...madeFacts({ reports }), at: NOW + 40_000, stalledAfterMs: 600_000 }), null, 'nothing moves')
})

test('the partitions of a job that is over have no speed', () => {
  const over = viewOf(madeFacts({ jobs: [classified] }))
  assert.deepEqual([over.phase, ...over.partitions.map(({ rowsPerSecond }) => rowsPerSecond)], ['complete', 0, 0])
})

const publishing = (more: Partial<PublishingReport> = {}) => ({ job: 'j', published: 20, total: 40, ...more })
const open = madeJobFacts(madeJob({ state: 'open' }))
const resume = 'rowmill publish rows.csv --job j --pipeline p --brokers kafka:9092'
const PUBLISHER: Record<string, [PipelineFacts, string, string, string | null]> = {
  'one that publishes': [
    madeFacts({ jobs: [open], reports: [[madeReport({ command: 'publish', publishing: publishing() }), 1]] }),
    'publisher',
    'row 20 is not published yet: rowmill publish on host (process 7) has published 20 of 40 rows',
    null,
  ],
  'one that is silent': [
    madeFacts({ jobs: [open], reports: [[madeReport({ command: 'publish', publishing: publishing() }), 40]] }),
    'publisher-silent',
    'row 20 is not published: rowmill publish on host (process 7) has not been heard of for 40 s',
    resume,
  ],
  'one that ended': [
    madeFacts({
      jobs: [open],
      reports: [[madeReport({ command: 'publish', publishing: publishing(), isLast: true }), 9]],
    }),
    'publisher-silent',
    'row 20 is not published: rowmill publish on host (process 7) ended before the last row',
    resume,
  ],
  'a run that is silent': [
    madeFacts({ jobs: [open], reports: [[madeReport({ command: 'run', publishing: publishing() }), 40]] }),
    'publisher-silent',
    'row 20 is not published: rowmill run on host (process 7) has not been heard of for 40 s',
    'rowmill run --resume OUT',
  ],
  'one whose input cannot be read again': [
    madeFacts({
      jobs: [madeJobFacts(madeJob({ state: 'open', source: null }))],
      reports: [[madeReport({ command: 'publish', publishing: publishing() }), 40]],
    }),
    'publisher-silent',
    'row 20 is not published: rowmill publish on host (process 7) has not been heard of for 40 s',
    'rowmill jobs cancel --job j --pipeline p --brokers kafka:9092',
  ],
}
for (const [name, [facts, reason, text, command]] of Object.entries(PUBLISHER))
  test(`what a job waits for: a publisher, ${name}`, () => {
    const wait = waitOf(facts)
    assert.deepEqual([wait.reason, wait.text, wait.row, wait.partition], [reason, text, 20, null])
    assert.equal(viewOf(facts).help?.command ?? null, command)
  })

test('a row is not published while its partition has nothing left, however many rows of others are published', () => {
  const report = madeReport({ command: 'publish', publishing: publishing({ published: 30 }) })
  const uneven = madeFacts({
    jobs: [open],
    reports: [[report, 40]],
    partitions: [madePartition({ committed: 2 }), madePartition()],
  })
  assert.deepEqual([waitOf(uneven).row, waitOf(uneven).reason], [20, 'publisher-silent'])
  assert.equal(viewOf(uneven).help?.command, resume)
})

test('a publisher that nobody hears of is silent once nothing came for the stated time', () => {
  const quiet = madeFacts({
    jobs: [madeJobFacts(madeJob({ state: 'open' }), [])],
    partitions: [0, 0].map(() => madePartition({ end: 0, committed: 0 })),
  })
  assert.equal(waitOf(quiet).reason, 'publisher-silent')
  assert.equal(viewOf(quiet).phase, 'stalled')
  const early = { ...quiet, stalledAfterMs: 200_000 }
  assert.deepEqual([waitOf(early).reason, viewOf(early).phase], ['publisher', 'waiting'])
})

const collecting = (more: Partial<CollectingReport> = {}) => {
  return { job: 'j', written: 30, rejected: 1, duplicates: 0, waiting: null, ...more }
}
const classified = madeJobFacts(madeJob(), [20, 20])
const replay = 'rowmill rejects replay --job j --pipeline p --brokers kafka:9092'
const collect = 'rowmill collect OUT --job j --pipeline p --brokers kafka:9092'

test('a classified job waits for its collector, and is complete when that has written everything', () => {
  const of = (secondsAgo: number, isLast = false, more: Partial<CollectingReport> = {}) =>
    viewOf(
      madeFacts({
        jobs: [classified],
        reports: [[madeReport({ command: 'collect', collecting: collecting(more), isLast }), secondsAgo]],
      }),
    )
  const seen = [of(1), of(40), of(1, true)].map(({ phase, waitsFor, help }) => [phase, waitsFor?.reason, help?.command])
  assert.deepEqual(seen, [
    ['writing', 'collector', undefined],
    ['writing', 'collector-silent', collect],
    ['writing', 'no-collector', collect],
  ])
  const done = of(1, true, { written: 39 })
  assert.deepEqual([done.phase, done.waitsFor], ['complete', null])
  assert.equal(viewOf(madeFacts({ jobs: [classified] })).phase, 'complete')
})

test('the command that helps names the classifier and the output of whoever did it before, and says why that ended', () => {
  const failure = { code: 'OUTPUT_FAILED', message: 'cannot write out.csv: ENOSPC' }
  const uses = { classifier: '/srv/a b.py', output: '/srv/out.csv' }
  const ended = { uses, failure, isLast: true }
  const withoutWorker = viewOf(madeFacts({ reports: [[workersReport([madeWorker()], ended), 5]] }))
  assert.equal(
    withoutWorker.waitsFor!.text,
    'row 20 (partition 0) waits for a worker: none is in pipeline p. The last one ended, rowmill work on host (process 7): cannot write out.csv: ENOSPC [OUTPUT_FAILED]',
  )
  const at = '--pipeline p --brokers kafka:9092'
  assert.equal(withoutWorker.help!.command, `rowmill work --classifier '/srv/a b.py' ${at}`)
  const collector = madeReport({ command: 'collect', collecting: collecting(), ...ended })
  const unwritten = viewOf(madeFacts({ jobs: [classified], reports: [[collector, 5]] }))
  assert.equal(
    unwritten.waitsFor!.text,
    'every row is classified, and nobody writes them: rowmill collect on host (process 7) ended with 9 rows left to write: cannot write out.csv: ENOSPC [OUTPUT_FAILED]',
  )
  assert.equal(unwritten.help!.command, `rowmill collect /srv/out.csv --job j ${at}`)
  const early = viewOf(
    madeFacts({
      reports: [
        [collector, 5],
        [workersReport([madeWorker({ batch })], { process: 'host-9' }), 0],
      ],
    }),
  )
  assert.deepEqual(
    [early.phase, early.waitsFor!.reason, early.waitsFor!.text],
    [
      'classifying',
      'no-collector',
      'nobody writes its results: rowmill collect on host (process 7) ended: cannot write out.csv: ENOSPC [OUTPUT_FAILED]',
    ],
  )
  assert.deepEqual(early.help, { why: 'resume the collector', command: `rowmill collect /srv/out.csv --job j ${at}` })
  assert.ok(early.partitions[0]!.blocks, 'the output waits for this one all the same')
  const elsewhere = madeReport({ command: 'collect', collecting: collecting(), ...ended, host: 'mill' })
  assert.equal(
    viewOf(madeFacts({ jobs: [classified], reports: [[elsewhere, 5]] })).help!.why,
    'resume the collector on mill',
  )
})

test('a publisher that ended is told while its rows are still classified: nobody knows when the job is done', () => {
  const working = (job: Partial<Job>, isLast: boolean) => {
    const report = { command: 'publish', publishing: publishing({ published: 400, total: 1000 }), isLast } as const
    const publisher = madeReport(report)
    return viewOf(
      madeFacts({
        jobs: [madeJobFacts(madeJob({ state: 'open', ...job }))],
        reports: [
          [publisher, 1],
          [workersReport([madeWorker({ batch })], { process: 'host-9' }), 0],
        ],
      }),
    )
  }
  const { waitsFor, etaSeconds, help } = working({}, true)
  assert.deepEqual([waitsFor!.reason, etaSeconds], ['publisher-silent', null])
  assert.match(
    waitsFor!.text,
    /^row \d+ is not published: rowmill publish on host \(process 7\) ended before the last row$/,
  )
  assert.match(help!.command!, /^rowmill publish /)
  assert.equal(working({}, false).waitsFor!.reason, 'classifying')
  assert.equal(working({ bounded: false }, true).waitsFor!.reason, 'classifying', 'producers of events come and go')
})

test('a job that failed says what to do if its classifier can be repaired, and nothing if it cannot continue', () => {
  const failed = (code: string, more: Partial<Job> = {}) => {
    const job = madeJob({ state: 'failed', reason: { code, place: null, message: 'm' }, ...more })
    return viewOf(madeFacts({ jobs: [madeJobFacts(job)] }))
  }
  const { phase, waitsFor, help, failure } = failed('CLASSIFIER_FAILED')
  assert.deepEqual([phase, waitsFor, failure?.code], ['failed', null, 'CLASSIFIER_FAILED'])
  assert.equal(help?.command, `${replay} && ${collect}`)
  assert.equal(failed('ROW_GAP').help, null)
  assert.equal(failed('CLASSIFIER_FAILED', { bounded: false }).help, null, 'a job of events has one attempt')
  const publish = 'rowmill publish rows.csv --pipeline p --brokers kafka:9092'
  assert.equal(failed('KIND_DRIFT').help?.command, publish, 'its results contradict each other')
  assert.equal(failed('KIND_DRIFT', { attempt: 1 }).help?.command, `${replay} && ${collect}`)
  assert.equal(failed('CLASSIFIER_FAILED', { by: 'run host/7/abc' }).help?.command, 'rowmill run --resume OUT')
})

test('a job that is complete says how to get its rows where no collector is known, and how to classify its rejects again', () => {
  const complete = (rejected: number, reports: [Report, number][] = []) => {
    const job = madeJobFacts(madeJob(), [20, 0])
    const rejects = Array.from({ length: rejected }, (_, index) => ({
      index,
      seq: index,
      line: 1,
      reason: 'CLASSIFIER_FAILED',
      detail: '',
    }))
    job.tally!.take(1, { kind: 'result', value: resultRecord({ count: 20, rejected: rejects as never }) }, NOW)
    return viewOf(madeFacts({ jobs: [job], reports }))
  }
  assert.equal(
    complete(1).help?.command,
    `${replay} && rowmill collect OUT --job j --force --pipeline p --brokers kafka:9092`,
  )
  assert.equal(complete(0).help?.command, collect)
  const collected = madeReport({
    command: 'collect',
    collecting: collecting({ written: 40, rejected: 0 }),
    isLast: true,
  })
  assert.equal(complete(0, [[collected, 1]]).help, null)
})

test('while no broker answers, that is what every job waits for', () => {
  const wait = waitOf({ ...madeFacts(), unreachableSince: NOW - 9000 })
  assert.deepEqual([wait.reason, wait.since, wait.text], ['broker', NOW - 9000, 'no broker answers at kafka:9092'])
})

const EVENTS = madeJob({ state: 'open', bounded: false, sequenced: false, partitions: 0, total: null, source: null })

test('rows of events that no worker has seen are published, in each partition', () => {
  const partitions = [madePartition({ committed: 0, end: 3 }), madePartition({ committed: 0, end: 4 })]
  const { rows, partitions: shown } = viewOf(madeFacts({ jobs: [madeJobFacts(EVENTS, [])], partitions }))
  assert.equal(rows.published, 7)
  assert.deepEqual(
    shown.map(({ lagRows }) => lagRows),
    [3, 4],
  )
})

test('a job of events that was quiet for long is stalled only once its rows have waited for that long', () => {
  const phaseAfter = (seconds: number) => {
    const late = madePartition({ committed: 0, end: 1, oldestAt: NOW - seconds * 1000 })
    const quiet = madePartition({ committed: 0, end: 0, oldestAt: null })
    return viewOf(madeFacts({ jobs: [madeJobFacts(EVENTS, [])], partitions: [late, quiet] })).phase
  }
  assert.deepEqual([0.1, 59, 61].map(phaseAfter), ['publishing', 'publishing', 'stalled'])
})

test('a job of events to which rows come all the time is stalled when none of them is classified', () => {
  const at = (oldest: number, done: readonly number[] = []) => {
    const grows = madePartition({ committed: 0, end: 100, oldestAt: NOW - oldest * 1000, grewAt: NOW })
    const { phase, movedAt } = viewOf(madeFacts({ jobs: [madeJobFacts(EVENTS, done)], partitions: [grows, grows] }))
    return [phase, (NOW - movedAt!) / 1000]
  }
  assert.deepEqual(at(59), ['publishing', 59])
  assert.deepEqual(at(61), ['stalled', 61])
  assert.deepEqual(at(61, [1, 1]), ['publishing', 5], 'a row was classified 5 s ago')
})

test('rows of a newer job are no move of one whose publisher has gone', () => {
  const open = (id: string, openedAt: number) => ({
    ...madeJobFacts(madeJob({ id, state: 'open', total: null }), []),
    openedAt,
  })
  const partitions = [madePartition({ grewAt: NOW }), madePartition({ grewAt: NOW })]
  const jobs = [open('old', NOW - 600_000), open('new', NOW - 300_000)]
  const phases = assembleView(madeFacts({ jobs, partitions })).jobs.map(({ id, phase }) => `${id} ${phase}`)
  assert.deepEqual(phases, ['old stalled', 'new waiting'])
})

test('what another worker has taken over is no longer with the one that fell silent', () => {
  const [first, second] = madeWorker().partitions
  const views = workersSeen([
    [workersReport([madeWorker({ partitions: [first!, second!] })]), 60],
    [workersReport([madeWorker({ name: 'host-9-1', partitions: [first!] })], { process: 'host-9' }), 1],
  ])
  assert.deepEqual(
    views.map(({ name, state, partitions }) => [name, state, partitions]),
    [
      ['host-7-1', 'silent', [second]],
      ['host-9-1', 'busy', [first]],
    ],
  )
})

function workersSeen(reports: readonly (readonly [Report, number])[]) {
  return assembleView(madeFacts({ reports })).workers
}
