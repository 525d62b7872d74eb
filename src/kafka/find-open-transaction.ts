import type { Kafka } from './client.ts'
import type { Reader } from './reader.ts'
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
    const ends = await log.ends(topic, readable.partitions(topic))
    const [first] = await openTransactions(
      readable,
      ends.map((offset, partition) => ({ topic, partition, offset })),
    )
    return first ?? null
  } finally {
    await Promise.all([readable.close(), log.close()])
  }
}

/**
 * Of these partitions, each with where its log ended a moment ago: those where an open transaction holds up messages, with the
 * offset at which it begins. `readable` is a reader with stable ends.
 */
export async function openTransactions(readable: Reader, ends: readonly PartitionOffset[]): Promise<PartitionOffset[]> {
  const before = await readable.offsets(ends, 'end')
  const suspects = before.filter(at => ends.some(end => isSame(at, end) && at.offset < end.offset))
  if (suspects.length === 0) return []
  // A transaction may have ended since. One that is open is still where it was.
  const now = await readable.offsets(suspects, 'end')
  return suspects.filter(at => now.some(found => isSame(at, found) && at.offset === found.offset))
}

function isSame(a: PartitionOffset, b: PartitionOffset): boolean {
  return a.partition === b.partition && a.topic === b.topic
}
