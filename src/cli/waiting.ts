import { setTimeout as sleep } from 'node:timers/promises'
import type { Say } from '../support/say.ts'

/** After this long without progress a part says what it waits for. */
const PATIENCE_MS = 10_000
/** How long a broker that may not answer has for the last word. */
const TELL_MS = 1000

/**
 * Says what a part waits for when nothing happened for 10 s, and again when that has changed. It ends nothing: who
 * waits goes on waiting.
 */
export class Waiting {
  readonly #say: Say
  readonly #describe: () => Promise<string | null>
  readonly #timer: NodeJS.Timeout
  #progress = false
  #said: string | null = null

  /** `describe` says what is waited for, in words; null: for nothing worth saying. */
  constructor(say: Say, describe: () => Promise<string | null>) {
    this.#say = say
    this.#describe = describe
    this.#timer = setInterval(() => void this.#check().catch(() => {}), PATIENCE_MS).unref() // an outage says so itself
  }

  /** Something happened. */
  progress(): void {
    this.#progress = true
    this.#said = null
  }

  /** Says it now, to who gives up, unless it was said: as long as that can be found out soon. */
  async tell(): Promise<void> {
    const look = this.#check().catch(() => {})
    await Promise.race([look, sleep(TELL_MS, undefined, { ref: false })])
  }

  close(): void {
    clearInterval(this.#timer)
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
