/** Small jobs and events go before large ones, on the same workers, and no output changes. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowsClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import { collect } from '../../src/collect/collector.ts'
import type { Source, SourceHeader } from '../../src/connector.ts'
import { Kafka } from '../../src/kafka/index.ts'
import type { Values } from '../../src/model.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { rowTopics, topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { publish } from '../../src/publish/publisher.ts'
import { run } from '../../src/run.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { Worker } from '../../src/work/worker.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { memorySink, readTopic } from '../helpers/pipeline.ts'
import { serialJob } from '../helpers/serial.ts'
import { until } from '../helpers/until.ts'

const LAYOUT = { partitions: 4, blockRows: 10 }
const BATCH_ROWS = 10
const silent = () => {}
const never = new AbortController().signal

/** A pipeline with a worker of this classifier. */
async function place(t: TestContext, classifier: RowsClassifier, { bulk }: { bulk: boolean }) {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, LAYOUT.partitions)
  const kafka = new Kafka({ brokers: [await brokerAddress()], clientId: 'test' })
  const jobs = await JobLog.open(kafka, pipeline, silent)
  const worker = await Worker.open(
    { kafka, pipeline, say: silent },
    { bulk: true, name: 'worker', classifier: decoding(classifier, 'worker'), batchRows: BATCH_ROWS },
  )
  const stop = new AbortController()
  const ended = worker.run(stop.signal).finally(() => worker.close())
  t.after(async () => {
    stop.abort()
    await ended
    await jobs.close()
  })
  const context = { kafka, pipeline, jobs, say: silent, signal: never }
  const job = { layout: LAYOUT, bulk, options: [], by: 'test' }
  return {
    ...context,
    publish: (id: string, rows: readonly Values[]) =>
      publish(context, sourceOf(rows), { ...job, header: headerOf(rows), job: id }),
    async collect(job: string): Promise<Values[]> {
      const written: Values[] = []
      await collect(context, { job, sink: memorySink(written) })
      return written
    },
  }
}

const headerOf = ({ length: total }: readonly Values[]): SourceHeader => ({
  ...{ columns: ['ID', 'JOB'], indexKind: null, identity: null, total, options: [] },
})

function sourceOf(rows: readonly Values[]): Source {
  return {
    open: async () => headerOf(rows),
    async *rows() {
      const lines = rows.map((_, row) => row + 2)
      yield { rows, lines, bytes: lines }
    },
    close: async () => {},
  }
}

const rowsOf = (job: string, count: number): Values[] => Array.from({ length: count }, (_, row) => [`${row}`, job])

/** Returns the rows unchanged, batch by batch; batches of the job `large` are slow until told otherwise. */
class SlowWithLarge implements RowsClassifier {
  readonly fingerprint = new Uint8Array(8)
  readonly runtime = { versions: {}, quotesCarriageReturn: true }
  /** The rows of each batch of the large job. */
  readonly large: number[] = []
  takesMs: (rows: number) => number = () => 20
  readonly #begun = Promise.withResolvers<void>()
  #free: Promise<void> = Promise.resolve()

  /** Resolves when a batch of the large job is in the classifier. */
  get begun(): Promise<void> {
    return this.#begun.promise
  }

  async start(): Promise<void> {}

  async classify({ rows }: { rows: readonly Values[] }) {
    const before = this.#free
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#free = promise
    await before
    if (rows[0]?.[1] === 'large') {
      this.large.push(rows.length)
      this.#begun.resolve()
      const ms = this.takesMs(rows.length)
      if (ms > 0) await sleep(ms)
    }
    resolve()
    return { columns: ['ID', 'JOB'], kinds: ['integer', 'text'] as const, rows }
  }

  async close(): Promise<void> {}
}

const LARGE_ROWS = 4000

/**
 * Publishes a small job once the large one is being classified; returns how much of the large one was done before it.
 */
async function largeBatchesBeforeSmall(t: TestContext, options: { bulk: boolean }) {
  const classifier = new SlowWithLarge()
  const { publish, collect } = await place(t, classifier, options)
  await publish('large', rowsOf('large', LARGE_ROWS))
  const large = collect('large')
  await classifier.begun
  const small = collect('small').then(rows => {
    assert.deepEqual(rows, rowsOf('small', 60))
    return classifier.large.length
  })
  await publish('small', rowsOf('small', 60))
  if (!options.bulk) classifier.takesMs = () => 0
  const before = await small
  classifier.takesMs = () => 0
  assert.deepEqual(await large, rowsOf('large', LARGE_ROWS))
  return before
}

test('a small job that starts during a large one completes long before it', async t => {
  const before = await largeBatchesBeforeSmall(t, { bulk: true })
  assert.ok(before < LARGE_ROWS / BATCH_ROWS / 2, `${before} batches of the large job`)
})

test('without a topic for large jobs, a small job waits for the ones before it', async t => {
  assert.equal(await largeBatchesBeforeSmall(t, { bulk: false }), LARGE_ROWS / BATCH_ROWS)
})

test('calls with rows of a large job are split if the classifier is slow', async t => {
  const classifier = new SlowWithLarge()
  classifier.takesMs = rows => (classifier.large.length <= 5 ? 60 * rows : 0)
  const { publish, collect } = await place(t, classifier, { bulk: true })
  await publish('large', rowsOf('large', 1001))
  assert.deepEqual(await collect('large'), rowsOf('large', 1001))
  const [first, second, ...next] = classifier.large
  assert.deepEqual([first, second], [BATCH_ROWS, BATCH_ROWS], 'nothing is known yet')
  for (const rows of next.slice(0, 3)) assert.ok(rows <= 200 / 60, `${rows} rows at 60 ms`)
  assert.equal(Math.max(...next), BATCH_ROWS, 'it is fast again')
})

test('rows of a job in the topic of other jobs are reported in rejects, and have no result', async t => {
  const { publish, collect, kafka, pipeline } = await place(t, new SlowWithLarge(), { bulk: true })
  await publish('small', rowsOf('small', 15))
  const { bulk, rejects } = topicsOf(pipeline)
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const rows = { job: 'small', epoch: 0, from: 0, seq: 0, count: 1, line: null, lineSteps: null, rows: [['7', 'x']] }
  await producer.send({ topic: bulk, partition: 0 }, [{ key: 'small', value: encodeRows(rows) }])
  await publish('large', rowsOf('large', 1010))
  assert.deepEqual(await collect('large'), rowsOf('large', 1010), 'the partition continues after them')
  assert.deepEqual(await collect('small'), rowsOf('small', 15))
  const [told] = await readTopic(kafka, rejects, 1)
  const said = told!.map(({ value }) => ('detail' in value ? value.detail : ''))
  assert.match(said[0]!, /^rows of job small belong in \S+\.rows$/)
})

for (const [workers, partitions] of [
  [2, 4],
  [3, 4],
  [3, 8],
  [5, 3],
] as const) {
  test(`${workers} workers share ${partitions} partitions of both topics evenly, and equally after each restart`, async t => {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, partitions)
    const topics = rowTopics(pipeline, true)
    const members = new Members(t, pipeline, topics)
    const names = Array.from({ length: workers }, (_, i) => `w${i}`)
    for (const name of names) await members.join(name)
    const shares = await members.shares(2 * partitions)
    for (const topic of topics) {
      const counts = names.map(name => shares.get(name)!.filter(at => at.startsWith(`${topic}/`)).length)
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${topic}: ${counts}`)
    }
    const all = names.map(name => shares.get(name)!.length)
    assert.ok(Math.max(...all) - Math.min(...all) <= 1, `${all}`)
    await members.leave('w1')
    await members.join('w1')
    assert.deepEqual(await members.shares(2 * partitions), shares)
  })
}

/** Members of the worker group, by the name of the worker. */
class Members {
  readonly #t: TestContext
  readonly #pipeline: string
  readonly #topics: readonly string[]
  readonly #held = new Map<string, string[] | null>()
  readonly #leave = new Map<string, () => Promise<void>>()
  #news = Promise.withResolvers<void>()

  constructor(t: TestContext, pipeline: string, topics: readonly string[]) {
    this.#t = t
    this.#pipeline = pipeline
    this.#topics = topics
    t.after(() => Promise.all([...this.#leave.keys()].map(name => this.leave(name))))
  }

  async join(name: string): Promise<void> {
    const kafka = new Kafka({ brokers: [await brokerAddress()], clientId: name })
    const member = await kafka.member(`${this.#pipeline}.workers`, this.#topics)
    const leave = new AbortController()
    this.#held.set(name, null)
    const running = member.run(
      {
        onAssigned: offsets => {
          const held = offsets.map(({ topic, partition }) => `${topic}/${partition}`).sort()
          this.#held.set(name, held)
          this.#tell()
        },
        onRebalance: () => {
          this.#held.set(name, null)
        },
        onTrouble: error => this.#t.diagnostic(error.message),
      },
      leave.signal,
    )
    this.#leave.set(name, async () => {
      leave.abort()
      await running
      await member.close()
    })
  }

  async leave(name: string): Promise<void> {
    await this.#leave.get(name)?.()
    this.#leave.delete(name)
    this.#held.delete(name)
    this.#tell()
  }

  /** The partitions of each, once they have `partitions` together. */
  async shares(partitions: number): Promise<Map<string, string[]>> {
    for (;;) {
      const all = [...this.#held].map(([name, held]) => [name, held ?? []] as const)
      const known = [...this.#held.values()].every(held => held !== null)
      const held = all.flatMap(([, held]) => held)
      if (known && held.length === partitions && new Set(held).size === partitions) return new Map(all.toSorted())
      await this.#news.promise
    }
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers<void>()
  }
}

test('publish puts a job above 1,000 rows, or of unknown length, into bulk; the bytes are the same', async t => {
  const { pipeline } = await testPipeline(t)
  const cli = { env: { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline } }
  const folder = testFolder(t)
  const classifier = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
  const csv = (rows: number) =>
    `ID,A\n${Array.from({ length: rows }, (_, row) => `${row * 3},"text, ${row}"\n`).join('')}`
  const files = [
    { job: 'large', rows: 1001, lane: 'bulk' },
    { job: 'small', rows: 1000, lane: 'rows' },
    { job: 'stream', rows: 70, lane: 'bulk' },
  ] as const
  for (const { job, rows } of files) {
    const path = join(folder, `${job}.csv`)
    writeFileSync(path, csv(rows))
    const from = job === 'stream' ? '-' : path
    const published = await rowmill(['publish', from, '--job', job], {
      ...cli,
      input: job === 'stream' ? csv(rows) : '',
    })
    assert.equal(published.code, 0, published.stderr)
  }
  const working = startRowmill(['work', '--classifier', classifier, '--workers', '2'], cli)
  t.after(() => working.child.kill('SIGKILL'))
  const jobs = await JobLog.open(new Kafka({ brokers: [await brokerAddress()], clientId: 'test' }), pipeline, silent)
  t.after(() => jobs.close())
  for (const { job, lane } of files) {
    const out = join(folder, `${job}.out`)
    const collected = await rowmill(['collect', out, '--job', job, '--timeout', '60'], cli)
    assert.equal(collected.code, 0, collected.stderr)
    assert.equal(readFileSync(out, 'utf8'), await serialJob(join(folder, `${job}.csv`), classifier), job)
    assert.equal((await jobs.latest(job))!.topic, topicsOf(pipeline)[lane], job)
  }
})

test('a private run has no topic for large jobs, and leaves none, even if another command makes one', async t => {
  const { admin } = await testPipeline(t)
  const rows = rowsOf('large', 1500)
  const written: Values[] = []
  const topics = async (pipeline: string) =>
    [...(await admin.partitions(Object.values(topicsOf(pipeline)))).keys()].sort()
  const found: string[][] = []
  const { pipeline } = await run({
    ...{ source: sourceOf(rows), sink: memorySink(written), workers: 1, brokers: [await brokerAddress()] },
    classifier: join(import.meta.dirname, '../../bench/pass.ts'),
    onOpen: async ({ pipeline }) => {
      found.push(await topics(pipeline))
      await ensureTopics(admin, pipeline, null) // as rowmill work does. It does not wait until the broker knows of `reports`
      await until('the broker knows all of them', async () => (await topics(pipeline)).length === 6)
      found.push(await topics(pipeline))
    },
  })
  const { bulk, reports, ...others } = topicsOf(pipeline)
  assert.deepEqual(found, [Object.values(others).sort(), Object.values({ bulk, reports, ...others }).sort()])
  assert.deepEqual(written, rows)
  await until('the topics are deleted', async () => (await topics(pipeline)).length === 0)
})
