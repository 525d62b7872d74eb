import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import type { TopicPartition } from './partitions.ts'

/** The last pause before a request is given up: about twice as long in all. */
const PATIENCE_MS = 2000

/** What the broker said of a failed request, in words for a person, and whether trying again can help. */
export function describeKafkaError(error: unknown): { text: string; retriable: boolean; type: string } {
  const e = error as { message?: string; type?: string; retriable?: boolean; name?: string; cause?: { type?: string } }
  const type = e.type ?? e.cause?.type ?? e.name ?? 'Error'
  const final = /AUTHORIZATION|INVALID_TOPIC|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|SASL|UNSUPPORTED/.test(type)
  return { text: e.message ?? String(error), retriable: !final, type }
}

export function noPartition({ topic, partition }: TopicPartition): Error {
  const text = `topic ${topic} has no partition ${partition}. Was it made anew with fewer partitions?`
  return Object.assign(new Error(text), { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true })
}

/**
 * A request that is asked again while the broker says that another attempt may succeed: the leader of a new topic takes
 * a moment to know that it is one.
 */
export async function patiently<T>(request: () => Promise<T>, beforeAgain: () => Promise<void>): Promise<T> {
  for (let pauseMs = 10; ; pauseMs *= 2) {
    try {
      return await request()
    } catch (error) {
      const { retriable, text, type } = describeKafkaError(error)
      if (!retriable || pauseMs > PATIENCE_MS) {
        throw new RowmillError('TOPIC_UNUSABLE', `the broker refuses a request: ${text}`, { type }, { cause: error })
      }
      await sleep(pauseMs)
      await beforeAgain().catch(() => {}) // the request itself says what is wrong
    }
  }
}
