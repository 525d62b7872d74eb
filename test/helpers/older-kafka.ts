import { pomOf } from '../../src/broker/jvm/broker-files.ts'
import { prepareKafka } from '../../src/broker/jvm/kafka-jars.ts'
import type { KafkaRelease } from '../../src/broker/jvm/kafka-release.ts'
import { type LocalBrokerOptions, startOnFreePort } from '../../src/broker/local-broker.ts'
import { choosePorts } from '../../src/broker/ports.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { OLDER_KAFKA_DIGESTS } from './older-kafka-digests.ts'

const VERSION = '3.9.2'

/** The last Kafka of version 3. */
export const OLDER_KAFKA: KafkaRelease = {
  version: VERSION,
  pom: pomOf(VERSION),
  digests: OLDER_KAFKA_DIGESTS,
  megabytes: 48,
}

/** As `startLocalBroker`, with the older Kafka. The first use downloads its jars into the cache of rowmill. */
export async function startOlderKafka({ port, dataDir, properties }: LocalBrokerOptions = {}): Promise<LocalBroker> {
  const { signal } = new AbortController()
  const say = (message: string) => process.stderr.write(`${message}\n`)
  const prepared = await prepareKafka(say, signal, OLDER_KAFKA)
  return await startOnFreePort({ prepared, dataDir, properties, signal, choose: () => choosePorts(port) })
}
