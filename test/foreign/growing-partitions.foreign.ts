/** Topics that get more partitions while a pipeline runs, by Kafka's own tools. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { results } from '../../src/index.ts'
import type { KafkaAdmin } from '../../src/kafka/index.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { serialJob } from '../helpers/serial.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
const BEFORE = 2
const AFTER = 12

class Pipeline {
  readonly brokers: string
  readonly name: string
  readonly topics: ReturnType<typeof topicsOf>
  readonly admin: KafkaAdmin
  readonly folder: string
  readonly #t: TestContext

  private constructor(t: TestContext, parts: { brokers: string; pipeline: string; admin: KafkaAdmin }) {
    this.#t = t
    this.brokers = parts.brokers
    this.name = parts.pipeline
    this.admin = parts.admin
    this.topics = topicsOf(parts.pipeline)
    this.folder = testFolder(t)
  }

  /** With two workers, and a job that is published, classified and collected. */
  static async open(t: TestContext): Promise<Pipeline> {
    const { pipeline, admin } = await testPipeline(t)
    const place = new Pipeline(t, { brokers: await brokerAddress(), pipeline, admin })
    await place.publish('first', ['--partitions', String(BEFORE)]) // makes the topics
    place.start('work', '--classifier', CLASSIFIER, '--workers', '2')
    await place.collect('first')
    return place
  }

  get #cli() {
    return { env: { ROWMILL_BROKERS: this.brokers, ROWMILL_PIPELINE: this.name } }
  }

  start(...args: string[]) {
    const command = startRowmill(args, { ...this.#cli, inputStays: true })
    this.#t.after(() => command.child.kill('SIGTERM'))
    return command
  }

  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await rowmill(args, this.#cli)
    assert.equal(code, 0, stderr)
    return stdout
  }

  /** Publishes 2,345 rows. */
  async publish(job: string, more: readonly string[] = []): Promise<void> {
    const path = join(this.folder, `${job}.csv`)
    writeFileSync(path, `ID,A\n${Array.from({ length: 2345 }, (_, row) => `${row},${job} ${row}\n`).join('')}`)
    await this.run('publish', path, '--job', job, ...more)
  }

  /** Collects a job, and compares it with what the original job makes of its file. */
  async collect(job: string): Promise<void> {
    const out = join(this.folder, `${job}.out.csv`)
    await this.run('collect', out, '--job', job)
    assert.equal(readFileSync(out, 'utf8'), await serialJob(join(this.folder, `${job}.csv`), CLASSIFIER))
  }

  /** As another program does, which does not know rowmill. */
  async alter(...topics: string[]): Promise<void> {
    for (const topic of topics) {
      const what = ['--alter', '--topic', topic, '--partitions', String(AFTER)]
      await runKafkaTool('org.apache.kafka.tools.TopicCommand', ['--bootstrap-server', this.brokers, ...what])
    }
  }

  /** Sends rows of an event job to all partitions in turn, with kafka-producer-perf-test. */
  async perfTest(job: string, count: number): Promise<void> {
    const payloads = join(this.folder, 'payloads')
    writeFileSync(
      payloads,
      Array.from({ length: 100 }, (_, i) => `${JSON.stringify({ job, values: [i, 'x'] })}\n`).join(''),
    )
    const partitioner = 'partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner'
    const bootstrap = `bootstrap.servers=${this.brokers}`
    await runKafkaTool('org.apache.kafka.tools.ProducerPerformance', [
      ...['--topic', this.topics.rows, '--num-records', String(count), '--throughput', '-1'],
      ...['--payload-file', payloads, '--command-property', bootstrap, partitioner],
    ])
  }

  async counts(): Promise<number[]> {
    const { rows, bulk, results } = this.topics
    const found = await this.admin.partitions([rows, bulk, results])
    return [rows, bulk, results].map(topic => found.get(topic)!)
  }

  async partitionsOf(job: string): Promise<number> {
    const jobs = await JobLog.open(await testKafka(), this.name, () => {})
    try {
      return (await jobs.get(job))!.partitions
    } finally {
      await jobs.close()
    }
  }
}

test('rows with more partitions: commands continue, results and bulk follow, and all jobs complete', async t => {
  const place = await Pipeline.open(t)
  const half = (from: number) => Array.from({ length: 1500 }, (_, i) => `${from + i},open ${from + i}\n`).join('')
  writeFileSync(join(place.folder, 'open.csv'), `ID,A\n${half(0)}${half(1500)}`)
  const open = place.start('publish', '-', '--job', 'open')
  open.child.stdin.write(`ID,A\n${half(0)}`)
  const jobs = await JobLog.open(await testKafka(), place.name, () => {})
  await jobs.until('open', () => true, AbortSignal.timeout(60_000)).finally(() => jobs.close())
  await place.alter(place.topics.rows)
  await place.publish('next')
  await place.collect('next')
  assert.deepEqual(await place.counts(), [AFTER, AFTER, AFTER])
  assert.deepEqual([await place.partitionsOf('first'), await place.partitionsOf('next')], [BEFORE, AFTER])
  open.child.stdin.end(half(1500))
  const { code, stderr } = await open.finished
  assert.equal(code, 0, stderr)
  await place.collect('open')
  assert.equal(await place.partitionsOf('open'), BEFORE, 'a job keeps its partitions')
})

test('a worker adds the results partitions that an event job needs, without any other command', async t => {
  const place = await Pipeline.open(t)
  await place.run('jobs', 'open', '--job', 'events', '--columns', 'ID,A')
  const tail = place.start('tail', '--job', 'events', '--format', 'json')
  let tailed = ''
  tail.child.stdout.on('data', chunk => {
    tailed += chunk
  })
  await place.alter(place.topics.rows)
  await place.perfTest('events', 240)
  await until('all rows are read', () => tailed.split('\n').length > 240)
  assert.deepEqual(await place.counts(), [AFTER, BEFORE, AFTER])
})

test('rows in new partitions of an open event job reach every running reader, and later ones', async t => {
  const place = await Pipeline.open(t)
  const { rows, bulk, results: resultsTopic } = place.topics
  await place.run('jobs', 'open', '--job', 'events', '--columns', 'ID,A')
  const follow = (name: string) => {
    const out = join(place.folder, name)
    const lines = () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').length - 1 : 0)
    return { ...place.start('collect', out, '--job', 'events', '--follow'), lines }
  }
  const following = follow('events.csv')
  const tail = place.start('tail', '--job', 'events', '--format', 'json')
  let tailed = ''
  tail.child.stdout.on('data', chunk => {
    tailed += chunk
  })
  const over = new AbortController()
  t.after(() => over.abort(new Error('the test is over')))
  let given = 0
  const reading = (async () => {
    const where = { brokers: [place.brokers], pipeline: place.name, job: 'events', signal: over.signal }
    for await (const { rows } of results(where)) given += rows.length
  })()
  reading.catch(() => {})
  await place.perfTest('events', 10)
  await until('ten rows are read', () => following.lines() === 10 && given === 10 && tailed.split('\n').length === 11)
  await place.alter(resultsTopic, bulk, rows)
  await place.perfTest('events', 2000)
  const bounds = await Promise.all(Array.from({ length: AFTER }, (_, partition) => place.admin.bounds(rows, partition)))
  assert.ok(
    bounds.every(({ end }) => end > 100),
    'every partition has rows',
  )
  await until('all rows are read', () => following.lines() >= 2010 && given >= 2010 && tailed.split('\n').length > 2010)
  assert.deepEqual([following.lines(), given, tailed.split('\n').length], [2010, 2010, 2011])
  assert.equal((await place.admin.bounds(place.topics.rejects, 0)).end, 0)

  following.child.kill('SIGTERM')
  assert.equal((await following.finished).code, 143)
  await place.perfTest('events', 120)
  const again = follow('events.csv')
  const later = follow('later.csv')
  await until('a resumed reader and a new one have all rows', () => again.lines() >= 2130 && later.lines() >= 2130)
  assert.deepEqual([again.lines(), later.lines()], [2130, 2130])
  await place.publish('next')
  await place.collect('next')
  assert.equal(await place.partitionsOf('next'), AFTER)
})
