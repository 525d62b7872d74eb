import { type Clock, monotonicMs } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import type { Fetched } from './index.ts'

/** A transaction that stays open longer than this is reported. */
const PATIENCE_MS = 10_000

/**
 * Reports partitions where an open transaction of another producer holds up messages: nobody can read past its first
 * message until it ends. It reports each transaction once, and once more when it has ended.
 */
export class OpenTransactions {
  readonly #say: Say
  readonly #now: Clock
  readonly #open = new Map<string, { readonly offset: number; readonly since: number; said: boolean }>()

  constructor(say: Say, now: Clock = monotonicMs) {
    this.#say = say
    this.#now = now
  }

  /** Notes what the last fetch told about a partition. */
  note({ topic, partition, end, logEnd }: Pick<Fetched, 'topic' | 'partition' | 'end' | 'logEnd'>): void {
    const name = `${topic}[${partition}]`
    const before = this.#open.get(name)
    if (end >= logEnd || (before && before.offset !== end)) {
      if (before?.said)
        this.#say(`${name}: the transaction that was open at offset ${before.offset} has ended`, { topic, partition })
      this.#open.delete(name)
    }
    if (end >= logEnd) return
    const open = this.#open.get(name) ?? { offset: end, since: this.#now(), said: false }
    this.#open.set(name, open)
    const seconds = Math.round((this.#now() - open.since) / 1000)
    if (open.said || this.#now() - open.since < PATIENCE_MS) return
    open.said = true
    this.#say(
      `${name}: ${logEnd - end} messages from offset ${end} on wait, since another producer has a transaction open there for ${seconds} s. ` +
        `They are read when it ends; kafka-transactions.sh describe-producers --topic ${topic} --partition ${partition} tells whose it is`,
      { level: 'warn', topic, partition, offset: end },
    )
  }
}
