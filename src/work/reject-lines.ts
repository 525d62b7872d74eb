import { nameOf } from '../core/reject-budget.ts'
import type { Rejected } from '../model.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { shortLine } from './reject-topic.ts'

const EVERY_MS = 10_000
/** How many reasons of jobs are remembered. */
const MOST = 1000

interface ToldReason {
  readonly job: string
  readonly reason: string
  /** Rows that no line has told about yet. */
  more: number
}

/** Logs the rows that a worker rejects: the first one of each reason in a job, and then every 10 s how many more there were. */
export class RejectLines {
  readonly #say: Say
  readonly #topic: string
  readonly #time: Time
  /** By job and reason. */
  readonly #told = new Map<string, ToldReason>()
  #stopTimer: (() => void) | null = null

  /** `topic`: where the copies of the rows are. */
  constructor(say: Say, { topic, time = realTime }: { readonly topic: string; readonly time?: Time }) {
    this.#say = say
    this.#topic = topic
    this.#time = time
  }

  note(job: string, row: Pick<Rejected, 'seq' | 'line' | 'reason' | 'detail'>): void {
    const { reason } = row
    const key = `${job} ${reason}`
    const told = this.#told.get(key)
    if (told) {
      told.more++
      this.#stopTimer ??= this.#time.every(EVERY_MS, () => this.#count())
      return
    }
    if (this.#told.size >= MOST) this.close()
    this.#told.set(key, { job, reason, more: 0 })
    const why = shortLine(`${reason} ${row.detail.split('\n', 1)[0]}`).replace(/\.+$/, '')
    this.#say(`job ${job}: ${nameOf(row)} was rejected: ${why}; a copy is in ${this.#topic}`, { level: 'warn', job })
  }

  /** Logs what was not logged yet, and forgets which reasons are known. */
  close(): void {
    this.#stopTimer?.()
    this.#stopTimer = null
    this.#count()
    this.#told.clear()
  }

  #count(): void {
    for (const told of this.#told.values()) {
      const { job, reason, more } = told
      if (more === 0) continue
      told.more = 0
      const rows = more === 1 ? '1 more row was' : `${more.toLocaleString('en-US')} more rows were`
      const text = `job ${job}: ${rows} rejected: ${shortLine(reason)}; copies are in ${this.#topic}`
      this.#say(text, { level: 'warn', job })
    }
  }
}
