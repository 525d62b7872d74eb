import type { MessagePort } from 'node:worker_threads'
import { type Clock, monotonicMs } from '../../support/clock.ts'
import type { ThreadAnswer } from './module.ts'

/** An answer is held back for those that follow no longer than this, besides the call that is under way then. */
const ANSWER_MS = 2

/** Sends the answers to batches that came together, several at a time if they are ready soon. */
export class Answers {
  readonly #port: Pick<MessagePort, 'postMessage'>
  readonly #clock: Clock
  #waiting: ThreadAnswer[] = []
  #since = 0

  constructor(port: Pick<MessagePort, 'postMessage'>, clock = monotonicMs) {
    this.#port = port
    this.#clock = clock
  }

  /** Batches have come. */
  begin(): void {
    this.#since = this.#clock()
  }

  add(answer: ThreadAnswer): void {
    this.#waiting.push(answer)
    if (this.#clock() - this.#since > ANSWER_MS) this.send()
  }

  /** Sends what waits. */
  send(): void {
    if (this.#waiting.length === 0) return
    const buffers = this.#waiting.flatMap(answer => ('results' in answer ? [answer.results] : []))
    this.#port.postMessage(this.#waiting, buffers)
    this.#waiting = []
    this.#since = this.#clock()
  }
}
