/**
 * Why the number of workers must not follow the lag of their consumer group: what Kafka's own tools show of it, beside the rows
 * that wait. docs/monitoring.md has these numbers.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { runKafkaTool } from '../helpers/kafka-tools.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/bad_rows.py:throws')
const PARTITIONS = 8
const BLOCK_ROWS = 100

interface PartitionLag {
  readonly topic: string
  readonly partition: number
  readonly committed: number | null
  readonly end: number
  readonly lag: number | null
}

/** What `kafka-consumer-groups.sh --describe` shows of a group: nothing where nobody ever committed. */
async function describeGroup(brokers: string, group: string): Promise<readonly PartitionLag[]> {
  const args = ['--bootstrap-server', brokers, '--describe', '--offsets', '--group', group]
  const shown = await runKafkaTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', args)
  const number = (text: string) => (text === '-' ? null : Number(text))
  return shown
    .split('\n')
    .filter(line => line.startsWith(group))
    .map(line => {
      const [, topic, partition, committed, end, lag] = line.split(/ +/) as [
        string,
        string,
        string,
        string,
        string,
        string,
      ]
      return { topic, partition: Number(partition), committed: number(committed), end: Number(end), lag: number(lag) }
    })
}

const sumOf = (lags: readonly PartitionLag[]): number => lags.reduce((sum, { lag }) => sum + (lag ?? 0), 0)

class Pipeline {
  readonly name: string
  readonly brokers: string
  readonly topics: ReturnType<typeof topicsOf>
  readonly folder: string
  readonly #t: TestContext

  private constructor(t: TestContext, { name, brokers }: { name: string; brokers: string }) {
    this.#t = t
    this.name = name
    this.brokers = brokers
    this.topics = topicsOf(name)
    this.folder = testFolder(t)
  }

  static async open(t: TestContext): Promise<Pipeline> {
    const { pipeline } = await testPipeline(t)
    return new Pipeline(t, { name: pipeline, brokers: await brokerAddress() })
  }

  get #cli() {
    return { env: { ROWMILL_BROKERS: this.brokers, ROWMILL_PIPELINE: this.name } }
  }

  async run(...args: string[]): Promise<void> {
    const { code, stderr } = await rowmill(args, this.#cli)
    assert.equal(code, 0, stderr)
  }

  async publish(job: string, rows: readonly string[]): Promise<void> {
    const path = join(this.folder, `${job}.csv`)
    writeFileSync(path, `ID,A\n${rows.map((value, row) => `${row},${value}\n`).join('')}`)
    await this.run('publish', path, '--job', job, '--partitions', String(PARTITIONS))
  }

  work(): { stop(): Promise<void> } {
    const { child, finished } = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], this.#cli)
    this.#t.after(() => void child.kill('SIGKILL'))
    return {
      async stop() {
        child.kill('SIGTERM')
        await finished
      },
    }
  }

  async untilCommitted(group = workersGroup(this.name)): Promise<void> {
    const { admin } = await testPipeline(this.#t)
    await until('everything is committed', async () => {
      const lags = await Promise.all([this.topics.rows, this.topics.bulk].map(topic => admin.lag(group, topic)))
      return lags.every(lag => lag === 0)
    })
  }
}

test('before the first worker there is no lag, and then a message of it is 100 rows', async t => {
  const pipeline = await Pipeline.open(t)
  const group = workersGroup(pipeline.name)
  await pipeline.publish('first', Array(10_000).fill('text'))
  assert.deepEqual(await describeGroup(pipeline.brokers, group), [])

  const worker = pipeline.work()
  await pipeline.untilCommitted()
  assert.equal(sumOf(await describeGroup(pipeline.brokers, group)), 0)
  await worker.stop()

  await pipeline.publish('second', Array(10_000).fill('text'))
  assert.equal(sumOf(await describeGroup(pipeline.brokers, group)), 10_000 / BLOCK_ROWS + PARTITIONS)
})

test('rows of a later attempt wait in a group of their own, which has no lag before a worker commits there', async t => {
  const pipeline = await Pipeline.open(t)
  const first = pipeline.work()
  await pipeline.publish('job', [...Array(9_000).fill('text'), ...Array(1_000).fill('bad')])
  await pipeline.untilCommitted()
  await first.stop()

  await pipeline.run('rejects', 'replay', '--job', 'job')
  assert.equal(sumOf(await describeGroup(pipeline.brokers, workersGroup(pipeline.name))), 0)
  const later = workersGroup(pipeline.name, { id: 'job', attempt: 1 })
  assert.deepEqual(await describeGroup(pipeline.brokers, later), [])

  const second = pipeline.work()
  await pipeline.untilCommitted(later)
  await second.stop()
  assert.equal(sumOf(await describeGroup(pipeline.brokers, workersGroup(pipeline.name))), 0)
})

/** A consumer that reads a topic to its end, and commits what it read. */
const CONSUMER = `
import sys
from confluent_kafka import Consumer, TopicPartition
brokers, group, topic, count = sys.argv[1:]
c = Consumer({"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
              "enable.partition.eof": True})
c.assign([TopicPartition(topic, n, 0) for n in range(int(count))])
ended = set()
while len(ended) < int(count):
    message = c.poll(30)
    assert message is not None
    if message.error(): ended.add(message.partition())
    else: c.commit(message, asynchronous=False)
c.close()
`

const TRANSACTION = `
import json, sys
from confluent_kafka import Producer
brokers, topic, count = sys.argv[1:]
t = Producer({"bootstrap.servers": brokers, "transactional.id": topic})
t.init_transactions(); t.begin_transaction()
for n in range(int(count)):
    t.produce(topic, json.dumps({"job": "events", "values": [str(n), "text"]}), partition=n)
t.commit_transaction()
`

test('after a transaction a plain consumer has lag 1 in each partition for ever, and a worker has none', async t => {
  const pipeline = await Pipeline.open(t)
  const { brokers, topics } = pipeline
  await pipeline.run('jobs', 'open', '--job', 'events', '--columns', 'ID,A')
  const run = async (program: string, ...args: string[]) => {
    const { code, stderr } = await startProgram(python, ['-c', program, brokers, ...args]).finished
    assert.equal(code, 0, stderr)
  }
  await run(TRANSACTION, topics.rows, String(PARTITIONS))

  const plain = `${pipeline.name}.plain`
  await run(CONSUMER, plain, topics.rows, String(PARTITIONS))
  const seen = await describeGroup(brokers, plain)
  assert.deepEqual(
    seen.map(({ committed, end, lag }) => ({ committed, end, lag })),
    Array(PARTITIONS).fill({ committed: 1, end: 2, lag: 1 }),
  )

  const worker = pipeline.work()
  await pipeline.untilCommitted()
  await worker.stop()
  const group = await describeGroup(brokers, workersGroup(pipeline.name))
  assert.deepEqual(
    group.filter(({ topic }) => topic === topics.rows).map(({ lag }) => lag),
    Array(PARTITIONS).fill(0),
  )
})
