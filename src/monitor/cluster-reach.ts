import { toRowmillError } from '../errors.ts'
import type { ClusterProbe, Kafka } from '../kafka/index.ts'
import { realTime, type Time } from '../support/clock.ts'
import { unlessLate } from '../support/unless-late.ts'
import type { Health } from './health.ts'

/** How long a probe waits for the broker. An orchestrator waits a second for the probe. */
const ANSWER_MS = 700
/** A broker that has not answered after this long is asked over another connection. */
export const PATIENCE_MS = 5000

/** What the broker says of a topic that does not exist. */
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION'

/** One way to ask a cluster, as `Kafka.probe` makes it. */
export interface ReachConnection {
  /** Resolves with what is wrong with the topics, or null. */
  ask(): Promise<string | null>
  close(): Promise<void>
}

/**
 * Whether a broker answers and the topics are there. It asks when somebody wants to know, over a connection of its own, so that
 * neither rows nor their retries wait for it.
 */
export class ClusterReach {
  readonly #connect: (hangUp: AbortSignal) => Promise<ReachConnection>
  readonly #time: Time
  #connection: { readonly opened: Promise<ReachConnection>; readonly hangUp: AbortController } | null = null
  #asking: { readonly since: number; readonly done: Promise<void> } | null = null
  /** Since when no broker has answered. Null: the last answer came. */
  #silentSince: number | null = null
  #fault: string | null = null

  constructor(connect: (hangUp: AbortSignal) => Promise<ReachConnection>, time: Time = realTime) {
    this.#connect = connect
    this.#time = time
  }

  /** For how many seconds no broker has answered, or null. Resolves within a second. */
  async outageSeconds(): Promise<number | null> {
    this.#asking ??= this.#ask()
    const asking = this.#asking
    await unlessLate(asking.done, ANSWER_MS, this.#time)
    const since = this.#silentSince ?? (this.#asking === asking ? asking.since : null)
    return since === null ? null : (this.#time.now() - since) / 1000
  }

  /** Whether a broker answers and the topics are there. Resolves within a second. */
  async look(): Promise<Health> {
    const outage = await this.outageSeconds()
    if (outage !== null) return { isGood: false, reason: `no broker has answered for ${Math.floor(outage)} s` }
    if (this.#fault !== null) return { isGood: false, reason: this.#fault }
    return { isGood: true, reason: 'the cluster answers and the topics are there' }
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    connection?.hangUp.abort()
    await connection?.opened.then(opened => opened.close()).catch(() => {})
  }

  #ask(): { since: number; done: Promise<void> } {
    const done = this.#askOnce().finally(() => {
      this.#asking = null
    })
    return { since: this.#time.now(), done }
  }

  async #askOnce(): Promise<void> {
    const began = this.#time.now()
    this.#connection ??= this.#open()
    const { opened, hangUp } = this.#connection
    const late = this.#time.after(PATIENCE_MS, () => hangUp.abort())
    try {
      this.#fault = await (await opened).ask()
      this.#silentSince = null
    } catch (error) {
      this.#silentSince = isSilence(error) ? (this.#silentSince ?? began) : null
      this.#fault = toRowmillError(error).message
      await this.close()
    } finally {
      late()
    }
  }

  #open() {
    const hangUp = new AbortController()
    const opened = this.#connect(hangUp.signal)
    opened.catch(() => {}) // the one who asks awaits it
    return { opened, hangUp }
  }
}

/** Whether an error says that no broker answers. INTERNAL: KafkaJS on a connection that was ended. */
export function isSilence(error: unknown): boolean {
  const { code } = toRowmillError(error)
  return code === 'BROKER_UNREACHABLE' || code === 'INTERNAL'
}

/** Asks the brokers of a client for these topics. */
export async function connectTo(
  kafka: Kafka,
  topics: readonly string[],
  hangUp: AbortSignal,
): Promise<ReachConnection> {
  const probe = await probeAny(kafka, hangUp)
  return { ask: async () => faultOf((await probe.describe(topics)).topics, topics), close: () => probe.close() }
}

/** Connects to the first broker of a client that answers. Throws what the last one threw. */
async function probeAny(kafka: Kafka, hangUp: AbortSignal): Promise<ClusterProbe> {
  let last: unknown
  for (const address of kafka.settings.brokers)
    try {
      return await kafka.probe(address, hangUp)
    } catch (error) {
      last = error
    }
  throw last
}

/** The first of these topics that does not exist, or null. Asks once. Throws BROKER_UNREACHABLE, and what a login throws. */
export async function missingTopic(
  kafka: Kafka,
  topics: readonly string[],
  hangUp: AbortSignal,
): Promise<string | null> {
  const probe = await probeAny(kafka, hangUp)
  try {
    const { topics: found } = await probe.describe(topics)
    return topics.find(topic => isMissing(found.get(topic))) ?? null
  } finally {
    await probe.close()
  }
}

function isMissing(found: { readonly error: string | null } | undefined): boolean {
  return found === undefined || found.error === MISSING
}

function faultOf(
  found: ReadonlyMap<string, { readonly error: string | null }>,
  topics: readonly string[],
): string | null {
  for (const topic of topics) {
    const at = found.get(topic)
    if (isMissing(at)) return `topic ${topic} does not exist`
    if (at!.error !== null) return `topic ${topic}: ${at!.error}`
  }
  return null
}
