import { setTimeout as sleep } from 'node:timers/promises'
import { realTime } from '../support/clock.ts'
import type { Say } from '../support/say.ts'

/** After this long without progress, a command logs what it is waiting for. */
const PATIENCE_MS = 10_000
/** A command that gives up asks the broker one last time, for no longer than this. */
const TELL_MS = 1000

/** Logs what a command is waiting for after 10 s without progress, and again when that changes. It ends no wait. */
export class Waiting {
  readonly #say: Say
  readonly #describe: () => Promise<string | null>
  readonly #stop: () => void
  #progress = false
  #said: string | null = null

  /** `describe` resolves with what the command waits for, or with null if there is nothing to log. */
  constructor(say: Say, describe: () => Promise<string | null>, time = realTime) {
    this.#say = say
    this.#describe = describe
    this.#stop = time.every(PATIENCE_MS, () => void this.#check().catch(() => {})) // an outage is logged elsewhere
  }

  /** Notes that something happened. */
  progress(): void {
    this.#progress = true
    this.#said = null
  }

  /** Logs it now, before the command gives up, unless it was logged before or the broker does not answer in time. */
  async tell(): Promise<void> {
    const look = this.#check().catch(() => {})
    await Promise.race([look, sleep(TELL_MS, undefined, { ref: false })])
  }

  close(): void {
    this.#stop()
  }

  async #check(): Promise<void> {
    const progress = this.#progress
    this.#progress = false
    if (progress) return
    const waitsFor = await this.#describe()
    if (waitsFor === null || waitsFor === this.#said || this.#progress) return
    this.#said = waitsFor
    this.#say(waitsFor)
  }
}
