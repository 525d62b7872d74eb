import { RowmillError } from '../errors.ts'
import type { PartitionOffset } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'

/** Notices topics that were deleted and made again between two looks: a log never gets shorter otherwise. */
export class LogEnds {
  readonly #ends = new Map<string, number>()

  /** Throws TOPIC_UNUSABLE if a log ends before where it ended once. */
  note(ends: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of ends) {
      const key = keyOf({ topic, partition })
      const before = this.#ends.get(key) ?? 0
      if (offset < before) {
        const message = `topic ${topic} was created again: partition ${partition} ended at offset ${before}, and ends at ${offset} now`
        throw new RowmillError('TOPIC_UNUSABLE', message, { topic, partition })
      }
      this.#ends.set(key, offset)
    }
  }
}
