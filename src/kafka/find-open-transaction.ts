import type { Kafka } from './client.ts'
import type { PartitionOffset } from './topic-partition.ts'

/**
 * The first partition of a topic where an open transaction holds up messages, with the offset at which it begins, or null.
 * Readers get nothing after that offset, although the log continues.
 */
export async function findOpenTransaction(kafka: Kafka, topic: string): Promise<PartitionOffset | null> {
  const [readable, log] = await Promise.all([
    kafka.reader([topic], { stableEnds: true, operation: 'Describe' }),
    kafka.reader([topic], { operation: 'Describe' }),
  ])
  try {
    const count = readable.partitions(topic)
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    const before = await readable.offsets(partitions, 'end')
    const ends = await log.ends(topic, count)
    const suspects = before.filter(({ partition, offset }) => ends[partition]! > offset)
    if (suspects.length === 0) return null
    // Messages may have come between the two requests. An open transaction is still where it was.
    const now = await readable.offsets(suspects, 'end')
    return (
      suspects.find(at => now.some(({ partition, offset }) => partition === at.partition && offset === at.offset)) ??
      null
    )
  } finally {
    await Promise.all([readable.close(), log.close()])
  }
}
