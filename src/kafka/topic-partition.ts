export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface PartitionOffset extends TopicPartition {
  /** The offset of the next message to read. */
  readonly offset: number
}

/** What maps and sets know a partition by. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** KafkaJS skips partitions that its metadata lacks, and leaves them out of its answer. */
export function firstMissing(
  wanted: readonly TopicPartition[],
  found: readonly TopicPartition[],
): TopicPartition | undefined {
  const known = new Set(found.map(keyOf))
  return wanted.find(at => !known.has(keyOf(at)))
}

export function byTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ topic }) => topic)
}
