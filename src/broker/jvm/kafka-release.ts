import { KAFKA_VERSION, pomOf } from './broker-files.ts'
import type { JarDigests } from './jar-digests.ts'
import { KAFKA_DIGESTS } from './kafka-digests.ts'

/** A version of Kafka, and what its jars must be. */
export interface KafkaRelease {
  readonly version: string
  /** The file that makes Maven fetch the jars. */
  readonly pom: string
  readonly digests: JarDigests
  /** The size of the jars on disk, for messages. */
  readonly megabytes: number
}

/** The Kafka that rowmill starts for itself. */
export const LOCAL_KAFKA: KafkaRelease = {
  version: KAFKA_VERSION,
  pom: pomOf(KAFKA_VERSION),
  digests: KAFKA_DIGESTS,
  megabytes: 44,
}
