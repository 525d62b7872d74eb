/** The answer of a broker to a Produce request. Source: Kafka's protocol guide, Produce 3 to 7. */

export interface PartitionAnswer {
  readonly topic: string
  readonly partition: number
  /** The code of the error. Default: none. */
  readonly code?: number
  readonly offset?: number
}

const THROTTLED_MS = 12

export function produceAnswer(version: number, partitions: readonly PartitionAnswer[]): Buffer {
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)]
  return Buffer.concat([
    int32(topics.length),
    ...topics.flatMap(([topic, answers]) => [
      int16(topic.length),
      Buffer.from(topic),
      int32(answers.length),
      ...answers.flatMap(({ partition, code = 0, offset = -1 }) => [
        int32(partition),
        int16(code),
        int64(offset),
        int64(-1),
        ...(version >= 5 ? [int64(0)] : []),
      ]),
    ]),
    int32(THROTTLED_MS),
  ])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}
