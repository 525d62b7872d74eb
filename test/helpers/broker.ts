import { randomBytes } from 'node:crypto'
import { after, type TestContext } from 'node:test'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { Kafka, type KafkaAdmin, type KafkaSettings } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'

const silent = () => {}

let own: Promise<LocalBroker> | null = null

// Registered here for the whole file: inside a test it would run when that test ends.
after(async () => (await own)?.close())

/** The address of the broker of this test run; a test file that runs by itself starts its own. */
export async function brokerAddress(): Promise<string> {
  const shared = process.env['ROWMILL_TEST_BROKERS']
  if (shared) return shared
  own ??= startLocalBroker({})
  return (await own).address
}

export async function testKafka(settings: Pick<KafkaSettings, 'limits' | 'headers'> = {}): Promise<Kafka> {
  return new Kafka({ brokers: [await brokerAddress()], clientId: 'test', ...settings })
}

/** A pipeline name for this test alone; its topics are deleted when the test ends. */
export async function testPipeline(t: {
  after(fn: () => Promise<void>): void
}): Promise<{ pipeline: string; admin: KafkaAdmin }> {
  const pipeline = `test-${randomBytes(6).toString('hex')}`
  const admin = await (await testKafka()).admin()
  t.after(async () => {
    const there = await admin.partitions(Object.values(topicsOf(pipeline)))
    if (there.size > 0) await admin.deleteTopics([...there.keys()])
    await admin.close()
  })
  return { pipeline, admin }
}

/** A pipeline with topics, its job log, and a sender for a test that writes the messages itself. */
export async function writablePipeline(t: TestContext, partitions: number) {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, partitions)
  const kafka = await testKafka()
  const jobs = await JobLog.open(kafka, pipeline, silent)
  const sender = new PartitionSender(await kafka.producer(), silent)
  t.after(() => Promise.all([jobs.close(), sender.close()]))
  return { pipeline, jobs, sender }
}
