export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface PartitionOffset extends TopicPartition {
  /** The offset of the next message to read. */
  readonly offset: number
}

/** KafkaJS skips partitions that its metadata lacks, and leaves them out of its answer. */
export function firstMissing(
  wanted: readonly TopicPartition[],
  found: readonly TopicPartition[],
): TopicPartition | undefined {
  const known = new Set(found.map(({ topic, partition }) => `${topic}/${partition}`))
  return wanted.find(({ topic, partition }) => !known.has(`${topic}/${partition}`))
}

export function byTopic<T extends TopicPartition>(items: readonly T[]): Map<string, T[]> {
  return Map.groupBy(items, ({ topic }) => topic)
}
