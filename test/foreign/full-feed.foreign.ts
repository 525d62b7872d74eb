/** Batches of very many small messages fill a worker's feed. A partition that has nothing there is served all the same. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { takeUntil } from '../../src/kafka/read-now.ts'
import type { Result } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { decode } from '../../src/wire/codec.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startProgram, startRowmill } from '../helpers/cli.ts'
import { descendants } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const MOST_BYTES = 400 * 1024 * 1024
const MOST_MS = 2000
const ROWS = 40

/** Three partitions get 12 batches of 140,000 messages of 24 bytes each. */
const FLOOD = `
import sys
from confluent_kafka import Producer
p = Producer({"bootstrap.servers": sys.argv[1], "message.max.bytes": 16_000_000, "batch.num.messages": 140_000,
  "batch.size": 15_000_000, "linger.ms": 5000, "queue.buffering.max.messages": 500_000})
for n in range(12):
    for partition in (0, 1, 2):
        for _ in range(140_000): p.produce(sys.argv[2], b"junk" * 6, partition=partition)
    p.flush(100)
    if n == 0:
        sys.stdout.write("flooded\\n"); sys.stdout.flush()
`

function peakBytes(pid: number): number {
  const below = [pid, ...descendants(pid).map(child => child.pid)]
  const peaks = below.map(each => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))![1]))
  return Math.max(...peaks) * 1024
}

test('rows of a fourth partition come out within 2 s, and the worker stays below 400 MB', async t => {
  const { pipeline } = await testPipeline(t)
  const brokers = await brokerAddress()
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const topics = topicsOf(pipeline)
  const opened = await rowmill(['jobs', 'open', '--job', 'events', '--columns', 'ID,TEXT'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  const { child } = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '1'], { env })
  t.after(() => child.kill('SIGKILL'))
  const kafka = new Kafka({ brokers: [brokers], clientId: 'test' })
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const feed = await PartitionFeed.open(kafka, [topics.results], () => {})
  t.after(() => feed.close())
  const [results] = await feed.assign([{ topic: topics.results, partition: 3, offset: 0 }])
  /** Sends one row and waits for its result. Returns how long that took. */
  const row = async (id: string): Promise<number> => {
    const began = performance.now()
    const value = Buffer.from(JSON.stringify({ job: 'events', values: [id, 'text'] }))
    await producer.send({ topic: topics.rows, partition: 3 }, [{ key: 'events', value }])
    await takeUntil(feed, [results!], (_, message) => {
      const record = message && decode(message.value)
      return record?.kind === 'result' && (record.value as Result).rows.some(([first]) => first === id)
    })
    return performance.now() - began
  }
  await row('before')
  const flood = startProgram(python, ['-c', FLOOD, brokers, topics.rows])
  t.after(() => flood.child.kill('SIGKILL'))
  await new Promise(resolve => flood.child.stdout.once('data', resolve))
  const tookMs: number[] = []
  for (let n = 0; n < ROWS; n++) tookMs.push(await row(`row ${n}`))
  const slowestMs = Math.max(...tookMs)
  const peak = peakBytes(child.pid!)
  t.diagnostic(`slowest row: ${Math.round(slowestMs)} ms, peak memory: ${Math.round(peak / 1024 / 1024)} MB`)
  assert.ok(peak < MOST_BYTES, `${peak} bytes`)
  assert.ok(slowestMs < MOST_MS, `${slowestMs} ms`)
})
