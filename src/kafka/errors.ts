import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import type { TopicPartition } from './topic-partition.ts'

const LONGEST_PAUSE_MS = 500
/** How long a broker may take to know who leads a partition: a busy one that just got many of them takes seconds. */
const LEADER_PATIENCE_MS = 30_000
/** The same for whether there is such a topic at all: that it was deleted should be said soon. */
const TOPIC_PATIENCE_MS = 5000

/** What the broker said of a failed request, in words for a person, and whether trying again can help. */
export function describeKafkaError(error: unknown): { text: string; retriable: boolean; type: string } {
  const e = error as { message?: string; type?: string; retriable?: boolean; name?: string; cause?: { type?: string } }
  const type = e.type ?? e.cause?.type ?? e.name ?? 'Error'
  const final = /AUTHORIZATION|INVALID_TOPIC|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|SASL|UNSUPPORTED/.test(type)
  return { text: e.message ?? String(error), retriable: !final, type }
}

/**
 * The result of a request that somebody waits for. A broker that goes meanwhile, or answers none of KafkaJS's own attempts,
 * is BROKER_UNREACHABLE.
 */
export async function answered<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (cause) {
    const { name = '' } = cause as Error
    throw isSilence(cause) || name.startsWith('KafkaJSNumberOfRetries') ? silent(cause) : cause
  }
}

/** Whether a request failed because nobody answered it. */
function isSilence(error: unknown): boolean {
  const { name = '', cause } = error as Error
  if (name.startsWith('KafkaJSNumberOfRetries')) return cause !== undefined && isSilence(cause)
  return /^KafkaJS(Connection|RequestTimeout|BrokerNotFound)/.test(name)
}

function silent(cause: unknown): RowmillError {
  const message = `the Kafka broker answers no more: ${(cause as Error).message}`
  return new RowmillError('BROKER_UNREACHABLE', message, {}, { cause })
}

export function noPartition({ topic, partition }: TopicPartition): Error {
  const text = `topic ${topic} has no partition ${partition}. Was it made anew with fewer partitions?`
  return Object.assign(new Error(text), { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true })
}

/**
 * A request that is asked again while the broker says that another attempt may succeed: the leader of a new topic takes
 * a moment to know that it is one. A broker that answers nothing is asked for `silenceMs`, then it is BROKER_UNREACHABLE.
 * Throws the reason of `signal`, at once where it was aborted before an attempt failed.
 */
export async function patiently<T>(
  request: () => Promise<T>,
  beforeAgain: () => Promise<void>,
  {
    signal = new AbortController().signal,
    silenceMs = LEADER_PATIENCE_MS,
    now = monotonicMs,
  }: { signal?: AbortSignal; silenceMs?: number; now?: Clock } = {},
): Promise<T> {
  const since = now()
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await request()
    } catch (error) {
      signal.throwIfAborted()
      const { retriable, text, type } = describeKafkaError(error)
      const lastsMs = now() - since
      const silence = isSilence(error)
      if (silence && lastsMs > silenceMs) throw silent(error)
      const patienceMs = type === 'UNKNOWN_TOPIC_OR_PARTITION' ? TOPIC_PATIENCE_MS : LEADER_PATIENCE_MS
      if (!retriable || (!silence && lastsMs > patienceMs)) {
        throw new RowmillError('TOPIC_UNUSABLE', `the broker refuses a request: ${text}`, { type }, { cause: error })
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
      signal.throwIfAborted()
      await beforeAgain().catch(() => {}) // the request itself says what is wrong
    }
  }
}
