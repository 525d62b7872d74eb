import { clusterSettings, type KafkaOptions } from '../client-config/kafka-options.ts'
import { Kafka } from '../kafka/index.ts'
import { type Compression, OPTIONS } from '../options.ts'
import { parseOption } from '../parse-option.ts'
import { type EnsureOptions, ensureTopics } from '../pipeline/topics.ts'
import { registerRecords, wireFormat } from '../wire/confluent.ts'

/** What a program that uses the SDK says about its pipeline. */
interface SdkConnection {
  readonly brokers?: readonly string[] | undefined
  readonly kafka?: KafkaOptions | undefined
  readonly pipeline: string
  readonly schemaRegistry?: string | null | undefined
  /** In seconds. */
  readonly brokerTimeout?: number | undefined
  readonly compression?: Compression | undefined
  /** The names of the headers that the messages of readers keep. Default: none. */
  readonly headers?: readonly string[] | undefined
}

/** Connects and creates missing topics. Resolves with the client, and the number of partitions of `rows`. */
export async function connectSdk(
  clientId: string,
  {
    brokers,
    kafka: given = {},
    pipeline,
    schemaRegistry = null,
    brokerTimeout = OPTIONS.brokerTimeout.fallback,
    compression = OPTIONS.compression.fallback,
    headers = [],
  }: SdkConnection,
  ensure: EnsureOptions = {},
): Promise<{ kafka: Kafka; partitions: number }> {
  const url = schemaRegistry === null ? null : parseOption(OPTIONS.schemaRegistry, 'schemaRegistry', schemaRegistry)
  const format = url === null ? null : wireFormat(await registerRecords(url))
  const cluster = clusterSettings({ ...given, ...(brokers ? { brokers } : {}) })
  const kafka = new Kafka({ ...cluster, clientId, brokerTimeoutMs: brokerTimeout * 1000, compression, format, headers })
  const admin = await kafka.admin()
  try {
    return { kafka, partitions: await ensureTopics(admin, pipeline, null, ensure) }
  } finally {
    await admin.close()
  }
}
