import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { createReportsTopic } from '../../src/pipeline/topics.ts'
import type { ReportedParts, WorkerReport } from '../../src/reports/report.ts'
import { reportLater } from '../../src/reports/report-later.ts'
import { decodeReport } from '../../src/reports/report-text.ts'
import { Reporter, type ReporterOptions } from '../../src/reports/reporter.ts'
import { version } from '../../src/support/version.ts'
import { FakeCluster } from '../fakes/kafka.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const PIPELINE = 'p'
const TOPIC = topicsOf(PIPELINE).reports

const idle: WorkerReport = {
  name: 'host-7-0',
  state: 'idle',
  heardSeconds: 0,
  partitions: [],
  batch: null,
  rows: 0,
  rejected: 0,
  restarts: 0,
  time: { start: 0, classify: 0, send: 0, wait: 0 },
}
const working = (...workers: WorkerReport[]): ReportedParts => {
  return { publishing: null, working: { restarts: 0, rebalances: 0, workers }, collecting: null }
}

function reportsIn(cluster: FakeCluster) {
  const log = cluster.log({ topic: TOPIC, partition: 0 })!
  const { messages } = log.read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
  return messages.map(({ key, value }) => {
    const report = decodeReport(value!)!
    assert.equal(key?.toString(), report.process)
    return report
  })
}

/** A reporter of what a test says, on a fake cluster with the topic. */
class Reported {
  readonly cluster: FakeCluster
  readonly time = new ManualTime()
  readonly said: string[] = []
  parts = working(idle)
  readonly reporter: Reporter

  private constructor(cluster: FakeCluster, options: Partial<ReporterOptions>) {
    this.cluster = cluster
    this.reporter = new Reporter({
      ...{ kafka: cluster.client().kafka, pipeline: PIPELINE, command: 'work', time: this.time },
      look: () => this.parts,
      say: line => void this.said.push(line),
      ...options,
    })
  }

  static async start(options: Partial<ReporterOptions> = {}): Promise<Reported> {
    const cluster = new FakeCluster()
    await createReportsTopic(await cluster.client().admin(), PIPELINE)
    return new Reported(cluster, options)
  }

  /** What is in the topic. */
  get reports() {
    return reportsIn(this.cluster)
  }

  /** Lets `seconds` pass, each with one more row, and returns how many reports came. */
  async busy(seconds: number): Promise<number> {
    const before = this.reports.length
    for (let i = 0; i < seconds; i++) {
      this.parts = working({ ...this.parts.working!.workers[0]!, rows: this.parts.working!.workers[0]!.rows + 1 })
      await this.time.pass(1000)
    }
    return this.reports.length - before
  }

  /** Lets `seconds` pass, and returns how many reports came. */
  async pass(seconds: number): Promise<number> {
    const before = this.reports.length
    await this.time.pass(seconds * 1000)
    return this.reports.length - before
  }
}

test('a command says what it works with, and in its last report the first line of what ended it', async () => {
  const uses = { classifier: '/srv/black_box.py' }
  const reported = await Reported.start({ uses })
  await reported.pass(1)
  await reported.reporter.close(new RowmillError('OUTPUT_FAILED', 'cannot write out.csv: no space left\n  at line 7'))
  const [first, last] = [reported.reports[0]!, reported.reports.at(-1)!]
  assert.deepEqual([first.uses, first.failure], [uses, undefined])
  assert.deepEqual(last.failure, { code: 'OUTPUT_FAILED', message: 'cannot write out.csv: no space left' })
})

test('a command reports at once, every 2 s while counts change, every 3 s otherwise, and when it ends', async () => {
  const reported = await Reported.start()
  assert.equal(await reported.pass(0.01), 1)
  const [first] = reported.reports
  assert.deepEqual(
    [first!.command, first!.rowmill, first!.pid, first!.isLast, first!.everySeconds],
    ['work', version(), process.pid, false, 2],
  )
  assert.equal(await reported.busy(20), 10)
  assert.equal(await reported.pass(3), 1)
  assert.equal(reported.reports.at(-1)!.everySeconds, 3, 'it says that it reports less often now')
  assert.equal(await reported.pass(30), 10)
  await reported.reporter.close()
  assert.deepEqual([reported.reports.at(-1)!.isLast, reported.said], [true, []])
  assert.equal(await reported.pass(30), 0)
})

test('a worker that freezes, dies or gets partitions shows within a second', async () => {
  const reported = await Reported.start()
  await reported.busy(4)
  for (const change of [
    { heardSeconds: 3.2 },
    { heardSeconds: 0.1 },
    { restarts: 1 },
    { state: 'starting' as const },
  ]) {
    reported.parts = working({ ...reported.parts.working!.workers[0]!, ...change })
    assert.equal(await reported.pass(1), 1, JSON.stringify(change))
    assert.deepEqual(reported.reports.at(-1)!.working, reported.parts.working)
  }
  const partitions = [{ topic: 'p.rows', partition: 0 }]
  reported.parts = working({ ...reported.parts.working!.workers[0]!, partitions })
  assert.equal(await reported.pass(1), 1)
})

test('time that passes is no change', async () => {
  const reported = await Reported.start()
  await reported.pass(4)
  const before = reported.reports.length
  for (let seconds = 1; seconds <= 20; seconds++) {
    reported.parts = working({ ...idle, heardSeconds: seconds / 10 })
    await reported.pass(1)
  }
  assert.equal(reported.reports.length - before, 7)
})

test('a command that has rows in hand reports every 2 s, so that its death shows soon', async () => {
  const batch = { topic: 'p.rows', partition: 0, job: 'j', row: 0, rows: 10, seconds: 0 }
  const none = { publishing: null, working: null, collecting: null }
  const collecting = { job: 'j', written: 5, rejected: 0, duplicates: 0 }
  const inHand: Record<string, ReportedParts> = {
    classifying: working({ ...idle, state: 'busy', batch }),
    publishing: { ...none, publishing: { job: 'j', published: 5, total: 10 } },
    collecting: { ...none, collecting: { ...collecting, waiting: { row: 5, partition: 1, seconds: 3 } } },
  }
  for (const [what, parts] of Object.entries(inHand)) {
    const reported = await Reported.start()
    reported.parts = parts
    await reported.pass(4)
    assert.equal(await reported.pass(20), 10, what)
    assert.equal(reported.reports.at(-1)!.everySeconds, 2)
  }
  const done: Record<string, ReportedParts> = {
    publishing: { ...none, publishing: { job: 'j', published: 10, total: 10 } },
    'a stream': { ...none, publishing: { job: 'j', published: 5, total: null } },
    collecting: { ...none, collecting: { ...collecting, waiting: null } },
  }
  for (const [what, parts] of Object.entries(done)) {
    const reported = await Reported.start()
    reported.parts = parts
    await reported.pass(4)
    assert.equal(await reported.pass(20), 7, what)
  }
})

test('a command that ends within 2 s leaves nothing, and connects to nothing', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cluster = new FakeCluster()
  const { kafka } = cluster.client()
  kafka.producer = () => assert.fail('it connects')
  const prepare = () => assert.fail('it creates the topic')
  const options = { kafka, pipeline: PIPELINE, command: 'run' as const, look: () => working(idle), say: assert.fail }
  const reports = reportLater({ ...options, prepare })
  t.mock.timers.tick(1999)
  await reports.close()
  t.mock.timers.tick(10_000)
})

test('a command that fails within 2 s says why', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cluster = new FakeCluster()
  await createReportsTopic(await cluster.client().admin(), PIPELINE)
  const { kafka } = cluster.client()
  const collecting = { job: 'night', written: 0, rejected: 0, duplicates: 0, waiting: null }
  const look = () => ({ publishing: null, working: null, collecting })
  const options = { kafka, pipeline: PIPELINE, command: 'collect' as const, look, say: assert.fail }
  await reportLater(options).close(new RowmillError('OUTPUT_FAILED', 'cannot write out.csv: no space left'))
  const last = reportsIn(cluster).at(-1)!
  assert.equal(last.isLast, true)
  assert.equal(last.collecting?.job, 'night')
  assert.deepEqual(last.failure, { code: 'OUTPUT_FAILED', message: 'cannot write out.csv: no space left' })
})

test('a run that fails within 2 s creates no topic to say so', async () => {
  const { kafka } = new FakeCluster().client()
  kafka.producer = () => assert.fail('it connects')
  const prepare = () => assert.fail('it creates the topic')
  const options = { kafka, pipeline: PIPELINE, command: 'run' as const, look: () => working(idle), say: assert.fail }
  await reportLater({ ...options, prepare }).close(new RowmillError('USAGE', 'no such file'))
})

test('the topic of a run is created before its first report, once', async () => {
  const before: number[] = []
  const reported: Reported = await Reported.start({ prepare: async () => void before.push(reported.reports.length) })
  await reported.busy(10)
  assert.deepEqual(before, [0])
  assert.ok(reported.reports.length > 3)
})

test('a user who may not write reports learns it once, and nothing more is sent', async () => {
  const reported = await Reported.start()
  let asked = 0
  reported.cluster.onProduce = async () => {
    asked++
    throw Object.assign(new Error('Not authorized to access topics'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  }
  await reported.busy(20)
  await reported.reporter.close()
  assert.equal(asked, 1)
  assert.equal(reported.said.length, 1)
  assert.match(
    reported.said[0]!,
    /cannot see what this command does, which works all the same\. Topic p\.reports: Not auth/,
  )
})

test('a cluster that refuses the topic is one line too', async () => {
  const reported = await Reported.start({
    prepare: async () => {
      reported.cluster.topics.delete(TOPIC)
      reported.cluster.onCreate = () => 'TOPIC_AUTHORIZATION_FAILED'
      await createReportsTopic(await reported.cluster.client().admin(), PIPELINE)
    },
  })
  await reported.time.pass(60_000)
  assert.equal(reported.said.length, 1)
  assert.match(reported.said[0]!, /Topic p\.reports: .*has no right to Create/)
})

test('after an outage reports come again, without a line about it', async () => {
  const reported = await Reported.start()
  await reported.busy(4)
  const before = reported.reports.length
  reported.cluster.onProduce = async () => {
    throw Object.assign(new Error('Connection error'), { name: 'KafkaJSConnectionError', retriable: true })
  }
  assert.equal(await reported.busy(10), 0)
  reported.cluster.onProduce = async () => undefined
  await reported.busy(3)
  assert.ok(reported.reports.length > before)
  assert.deepEqual(reported.said, [])
})

test('the end of a command waits a second at most for a broker that does not answer', async () => {
  const reported = await Reported.start()
  await reported.busy(4)
  reported.cluster.onProduce = () => new Promise(() => {})
  await reported.busy(2)
  let closed = false
  const closing = reported.reporter.close().then(() => {
    closed = true
  })
  await reported.time.pass(900)
  assert.equal(closed, false)
  await reported.time.pass(100)
  await closing
})

test('the report of 512 workers is far below what a topic takes, and comes less often', async () => {
  const partitions = Array.from({ length: 4 }, (_, i) => ({
    topic: 'a-pipeline-with-a-name.bulk',
    partition: 2000 + i,
  }))
  const batch = {
    ...partitions[0]!,
    job: 'a-job-with-a-long-name-2024-01-01',
    row: 123_456_789,
    rows: 500,
    seconds: 12.345,
  }
  const workers = Array.from({ length: 512 }, (_, i): WorkerReport => {
    const time = { start: 12345.6, classify: 12345.6, send: 12345.6, wait: 12345.6 }
    return {
      ...idle,
      name: `worker-in-a-pod-7f9c-12345-${i}`,
      state: 'busy',
      partitions,
      batch,
      rows: 123_456_789,
      time,
    }
  })
  const reported = await Reported.start()
  reported.parts = working(...workers)
  await reported.pass(0.01)
  const bytes = Buffer.byteLength(JSON.stringify(reported.reports[0]))
  assert.ok(bytes < 400_000, `${bytes} bytes`)
  for (let i = 0; i < 60; i++) {
    reported.parts = working(...workers.map(worker => ({ ...worker, rows: worker.rows + i })))
    await reported.pass(1)
  }
  const sent = (reported.reports.length - 1) * bytes
  assert.ok(sent > 0 && sent <= 60 * 60_000 + bytes, `${sent} bytes in a minute`)
  assert.ok(reported.reports.at(-1)!.everySeconds >= bytes / 60_000)
})
