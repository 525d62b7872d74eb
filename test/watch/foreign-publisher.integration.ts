/** What a watch says of a job that a client without rowmill publishes: nobody reports how far that is. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import kafkajs from 'kafkajs'
import { newJob } from '../../src/core/job.ts'
import { partitionOf, rowsInPartition } from '../../src/core/sequence.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { PipelineWatch } from '../../src/watch/pipeline-watch.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { brokerAddress, testKafka, writablePipeline } from '../helpers/broker.ts'
import { until } from '../helpers/until.ts'

const LAYOUT = { partitions: 4, blockRows: 10 }
const ROWS = 400

for (const how of ['plain', 'compressed', 'transactional'] as const)
  test(`rows of a foreign client are counted exactly in every partition, each with its lag, in one look: ${how}`, async t => {
    const { pipeline, sender } = await writablePipeline(t, LAYOUT.partitions)
    const { rows: topic } = topicsOf(pipeline)
    const job = newJob({
      ...{ id: 'j', columns: ['ID'], ...LAYOUT, topic, at: Date.now(), by: 'other' },
      ...{ rowsFrom: [0, 0, 0, 0], resultsFrom: [0, 0, 0, 0] },
    })
    await appendJob(sender, pipeline, job)
    const messages = Array.from({ length: ROWS / 5 }, (_, i) => {
      const head = { job: 'j', epoch: 0, from: 0, seq: i * 5, count: 5, line: null, lineSteps: null }
      const rows = Array.from({ length: 5 }, (_, row) => [`${i * 5 + row}`.padStart(4000, '0')]) // batches of 400 KB
      return { partition: partitionOf(i * 5, LAYOUT), value: encodeRows({ ...head, rows }) }
    })
    const isTransactional = how === 'transactional'
    const client = new kafkajs.Kafka({ brokers: [await brokerAddress()], logLevel: kafkajs.logLevel.NOTHING })
    const producer = client.producer(
      isTransactional ? { transactionalId: pipeline, idempotent: true, maxInFlightRequests: 1 } : {},
    )
    await producer.connect()
    t.after(() => producer.disconnect())
    const compression = how === 'compressed' ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None
    const transaction = isTransactional ? await producer.transaction() : null
    await (transaction ?? producer).send({ topic, messages: messages.slice(0, -1), compression })
    await transaction?.commit()
    const kafka = await testKafka()
    await untilStable(t, kafka, topic)

    const watch = new PipelineWatch({ kafka, pipeline, say: () => {} })
    t.after(() => watch.close())
    const [seen] = (await watch.look()).jobs
    assert.deepEqual([seen!.phase, seen!.rows.published, seen!.rows.classified], ['publishing', ROWS - 5, 0])
    assert.deepEqual(
      seen!.partitions.map(({ published }) => published),
      [0, 1, 2, 3].map(partition => rowsInPartition(partition, ROWS - 5, LAYOUT)),
    )
    for (const { lagSeconds } of seen!.partitions) assert.ok(lagSeconds !== null && lagSeconds < 120, `${lagSeconds}`)
  })

/** A commit is acknowledged before its markers are in every partition. */
async function untilStable(t: TestContext, kafka: Kafka, topic: string): Promise<void> {
  const readers = await Promise.all(
    [true, false].map(stableEnds => kafka.reader([topic], { stableEnds, operation: 'Describe' })),
  )
  t.after(() => Promise.all(readers.map(reader => reader.close())))
  await until('no transaction is open', async () => {
    const [stable, all] = await Promise.all(readers.map(reader => reader.ends(topic, LAYOUT.partitions)))
    return isDeepStrictEqual(stable, all)
  })
}
