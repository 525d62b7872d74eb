import kafkajs from 'kafkajs'
import Cluster from 'kafkajs/src/cluster/index.js'
import { createLogger } from 'kafkajs/src/loggers/index.js'
import { openSocket } from '../../src/kafka/connection.ts'
import { fetchRaw } from '../../src/kafka/fetch.ts'
import { COMPRESSIONS } from '../../src/options.ts'

/** The codecs of the batches in a topic, as the broker keeps them. */
export async function codecsOf(brokers: string, topic: string, partitions: number): Promise<Set<string>> {
  const silent = () => () => {}
  const cluster = new Cluster({
    logger: createLogger({ level: kafkajs.logLevel.NOTHING, logCreator: silent }),
    socketFactory: openSocket,
    brokers: [brokers],
    clientId: 'test',
    connectionTimeout: 5000,
    requestTimeout: 30_000,
    enforceRequestTimeout: true,
    metadataMaxAge: 60_000,
    retry: {},
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    isolationLevel: 1,
  })
  await cluster.connect()
  try {
    await cluster.addMultipleTargetTopics([topic])
    const found = new Set<string>()
    for (let partition = 0; partition < partitions; partition++) {
      const [node] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      const broker = await cluster.findBroker({ nodeId: node! })
      const limits = { maxWaitMs: 10, maxPartitionBytes: 2 ** 26, maxBytes: 2 ** 26 }
      const {
        partitions: [answer],
      } = await fetchRaw(broker, [{ topic, partition, offset: 0 }], limits)
      const { records } = answer!
      for (let at = 0; at < records.length; at += 12 + records.readInt32BE(at + 8)) {
        found.add(COMPRESSIONS[records.readInt16BE(at + 21) & 7]!)
      }
    }
    return found
  } finally {
    await cluster.disconnect()
  }
}
