import { isLoopback } from '../support/loopback.ts'
import { longestRequestMs } from './contact.ts'
import type { OutageNotices } from './outage-notices.ts'
import type { TokenNotices } from './token-notices.ts'

/** Times, sizes and names of a client, as the user gave them. What is left out has our default. */
export interface ClientLimits {
  /** The prefix of our client ids, for quotas and logs. */
  readonly clientId?: string
  /** Where this client is (`client.rack`). The broker may name a follower there to read from. */
  readonly rack?: string
  readonly connectionTimeoutMs?: number
  readonly requestTimeoutMs?: number
  readonly metadataMaxAgeMs?: number
  readonly connectionsMaxIdleMs?: number
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly retryBackoffMs?: number
  readonly retryBackoffMaxMs?: number
  /** The most bytes of messages that a request carries. A single message may be longer. */
  readonly maxRequestBytes?: number
  /** The most bytes that we ask for in one fetch, of all partitions and of one. A first batch may be longer. */
  readonly fetchMaxBytes?: number
  readonly maxPartitionFetchBytes?: number
  /** The first and the longest pause between attempts while no broker answers. */
  readonly reconnectBackoffMs?: number
  readonly reconnectBackoffMaxMs?: number
  /** How often a request that writes is repeated. Default: until the broker timeout. */
  readonly retries?: number
}

/** How long and how often a request is repeated while no broker answers it. */
export interface Patience {
  readonly timeoutMs: number
  /** The first pause between two attempts, and the longest. Default: 100 ms and 1 s. */
  readonly pauses?: { readonly firstMs: number; readonly longestMs: number }
  /** The most retries. Default: as many as fit into the time. */
  readonly retries?: number
  /** What all connections of a client share, so that they tell an outage once. Default: a connection tells its own. */
  readonly notices?: OutageNotices
  /** What the client tells about its tokens. Then no connection repeats it. */
  readonly tokens?: TokenNotices | undefined
}

const DEFAULTS = {
  connectionTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  metadataMaxAgeMs: 60_000,
  connectionsMaxIdleMs: 0, // a connection may idle for ever
  retryBackoffMs: 100,
  retryBackoffMaxMs: 2000,
  reconnectBackoffMs: 100,
  reconnectBackoffMaxMs: 1000,
  fetchMaxBytes: Number.POSITIVE_INFINITY, // our feeds ask for 1 MB
  maxPartitionFetchBytes: Number.POSITIVE_INFINITY,
}
/** Brokers that are far away need more patience, and so do those who watch our heartbeats there. */
const NEAR = { connectionTimeoutMs: 5000, sessionTimeoutMs: 6000, rebalanceTimeoutMs: 10_000 }
const FAR = { sessionTimeoutMs: 45_000, rebalanceTimeoutMs: 60_000 }

/**
 * All of them, for a client of `brokers` (`host:port`). On this machine a dead worker is noticed after 6 s, elsewhere after 45 s.
 * No single request, connection or token may use up the broker timeout.
 */
export function limitsOf(given: ClientLimits, brokers: readonly string[], brokerTimeoutMs: number) {
  const near = brokers.every(broker => isLoopback(broker.replace(/:\d+$/, '')))
  const limits = { ...DEFAULTS, ...(near ? NEAR : FAR), ...given }
  const mostMs = longestRequestMs(brokerTimeoutMs)
  return {
    ...limits,
    connectionTimeoutMs: Math.min(limits.connectionTimeoutMs, mostMs),
    requestTimeoutMs: Math.min(limits.requestTimeoutMs, mostMs),
  }
}
