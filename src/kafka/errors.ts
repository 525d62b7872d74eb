import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, RowmillError } from '../errors.ts'
import { type Clock, monotonicMs } from '../support/clock.ts'
import { isOfAdvertised } from './advertised.ts'
import { isStopped } from './contact.ts'
import { refusalOf } from './refusal.ts'
import { isTokenUnavailable } from './tokens.ts'
import type { TopicPartition } from './topic-partition.ts'

const LONGEST_PAUSE_MS = 500
/** Before each repetition of a request whose connection was lost: long enough for another broker to take its place. */
const PAUSES_MS = [50, 200, 800]
/** How long a broker may not know who leads a partition. A busy one with many new partitions takes seconds. */
const LEADER_PATIENCE_MS = 30_000
/** How long a broker may not know a topic. It is shorter, so that a deleted topic is reported soon. */
const TOPIC_PATIENCE_MS = 5000

/**
 * What the broker said about a failed request, as text for people, whether a retry can help, and the code of the error if
 * not.
 */
export function describeKafkaError(error: unknown): {
  text: string
  retriable: boolean
  type: string
  code: Extract<ErrorCode, 'TOPIC_UNUSABLE' | 'TLS_FAILED' | 'AUTHENTICATION_FAILED' | 'NOT_AUTHORIZED'>
} {
  if (isNotAuthorized(error)) return { text: error.message, retriable: false, type: error.code, code: error.code }
  const refusal = refusalOf(error)
  if (refusal) return { ...refusal, retriable: false, type: refusal.code }
  const e = error as { message?: string; type?: string; retriable?: boolean; name?: string; cause?: { type?: string } }
  const type = error instanceof RowmillError ? error.code : (e.type ?? e.cause?.type ?? e.name ?? 'Error')
  const final = /AUTHORIZATION|INVALID_TOPIC|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|SASL|UNSUPPORTED/.test(type)
  return { text: e.message ?? String(error), retriable: !final, type, code: 'TOPIC_UNUSABLE' }
}

/** Whether the error says already which right is missing, and how to grant it. */
export function isNotAuthorized(error: unknown): error is RowmillError & { readonly code: 'NOT_AUTHORIZED' } {
  return error instanceof RowmillError && error.code === 'NOT_AUTHORIZED'
}

/**
 * The result of a request that a user waits for. Throws BROKER_UNREACHABLE if the broker goes away, or answers none of
 * KafkaJS's own attempts. With `beforeAgain` a request is repeated a few times if its connection was lost: one of several
 * brokers may have died. If `beforeAgain` throws, it is not repeated.
 */
export async function answered<T>(request: () => Promise<T>, beforeAgain?: () => Promise<void>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await request()
    } catch (cause) {
      const failure = unanswered(cause) ?? cause
      const pauseMs = PAUSES_MS[failures]
      if (!beforeAgain || pauseMs === undefined || !isLostConnection(cause)) throw failure
      await sleep(pauseMs)
      await beforeAgain().catch(() => {
        throw failure
      })
    }
  }
}

/** Why a failed request got no answer. Null: the broker answered with this error, or it is not of Kafka. */
export function unanswered(cause: unknown): RowmillError | null {
  const refusal = refusalOf(cause)
  if (refusal) return new RowmillError(refusal.code, refusal.text, {}, { cause })
  const { name = '' } = cause as Error
  return isSilence(cause) || name.startsWith('KafkaJSNumberOfRetries') ? silent(cause) : null
}

/** BROKER_UNREACHABLE: nobody at these addresses answers as a broker, with (`tls`) or without TLS. */
export function noBroker(brokers: string, cause: unknown, { tls }: { tls: boolean }): RowmillError {
  const hint = tls
    ? 'Does it speak TLS there? If not, give security.protocol=PLAINTEXT, or SASL_PLAINTEXT with a login'
    : 'Does it expect TLS? Then give security.protocol=SSL, or SASL_SSL with a login'
  const said = (cause as Error).message
  const message = `no Kafka broker answers at ${brokers}: ${said}. Is the address right and the broker running? ${hint}`
  return new RowmillError('BROKER_UNREACHABLE', message, { brokers }, { cause })
}

const LOGIN_HINT =
  'Does it require a login (security.protocol=SASL_SSL)? Give its properties as --command-config FILE. ' +
  'For a broker of rowmill broker --auth, that is the file it wrote'

/** Whether a request failed because nobody answered it. */
function isSilence(error: unknown): boolean {
  const { name = '', cause } = error as Error
  if (/^KafkaJSN(umberOfRetries|onRetriable)/.test(name)) return cause !== undefined && isSilence(cause)
  return /^KafkaJS(Connection|RequestTimeout|BrokerNotFound|LockTimeout)/.test(name) || isTokenUnavailable(error)
}

/** Whether the broker went away, and asking again is not yet useless. */
function isLostConnection(error: unknown): boolean {
  const { name = '', cause, retriable } = error as { name?: string; cause?: unknown; retriable?: boolean }
  if (/^KafkaJSNumberOfRetries/.test(name)) return cause !== undefined && isLostConnection(cause)
  return /^KafkaJSConnection/.test(name) && retriable !== false
}

function silent(cause: unknown): RowmillError {
  const said = (cause as Error).message
  // A broker that expects a login answers one request, and hangs up at the next.
  const hint = said === 'Closed connection' ? `. ${LOGIN_HINT}` : ''
  const what = isTokenUnavailable(cause) ? 'cannot log in to the Kafka broker' : 'the Kafka broker stopped answering'
  const message = isOfAdvertised(said) ? said : `${what}: ${said}${hint}`
  return new RowmillError('BROKER_UNREACHABLE', message, {}, { cause })
}

export function noPartition({ topic, partition }: TopicPartition): Error {
  const text = `topic ${topic} has no partition ${partition}. Was it created again with fewer partitions?`
  return Object.assign(new Error(text), { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
}

/**
 * Repeats a request while the broker says that a retry may succeed: the leader of a new topic takes a moment to learn that
 * it leads. Throws BROKER_UNREACHABLE if the broker does not answer for `silenceMs`. Throws the reason of `signal`: at once
 * if it was aborted before an attempt failed.
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
      if (isNotAuthorized(error)) throw error
      const { retriable, text, type, code } = describeKafkaError(error)
      const lastsMs = now() - since
      const silence = isSilence(error)
      if (silence && lastsMs > silenceMs) throw silent(error)
      const patienceMs = type === 'UNKNOWN_TOPIC_OR_PARTITION' ? TOPIC_PATIENCE_MS : LEADER_PATIENCE_MS
      if (!retriable || (!silence && lastsMs > patienceMs)) {
        const message = code === 'TOPIC_UNUSABLE' && !isStopped(error) ? `the broker refuses a request: ${text}` : text
        throw new RowmillError(code, message, { type }, { cause: error })
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
      signal.throwIfAborted()
      await beforeAgain().catch(() => {}) // the request itself reports what is wrong
    }
  }
}
