import { realTime, type Time } from '../support/clock.ts'

const EVERY_MS = 1000

interface Silence {
  /** How many questions it has not answered although it did not lack a CPU. */
  open: number
  /** The CPU time of its event loop at its last answer and at the last question. Null: not known. */
  atAnswer: number | null
  atQuestion: number | null
}

/**
 * Finds processes that run but do nothing: stopped, swapped out, or with an event loop that blocks. Each is asked every
 * second. It counts unanswered questions and no seconds: if this process stood still itself, or the whole machine, then
 * nobody else is to blame. A process that used some CPU since the last question is not stopped: it may only wait for its
 * turn on a busy machine. It is given as much CPU time as the patience, so an event loop that blocks is found too.
 */
export class Heartbeats {
  readonly #patienceMs: number
  readonly #cpuMs: (name: string) => number | null
  /** Since the last answer of each. */
  readonly #silences = new Map<string, Silence>()
  readonly #stop: () => void

  /**
   * `silent` is called once for a name that has not answered for `patienceMs`. `cpuMs` is the CPU time that its event loop
   * has used since its start, or null where nobody can say: then each question counts.
   */
  constructor(
    { patienceMs, time = realTime }: { patienceMs: number; time?: Time },
    { ask, silent, cpuMs }: { ask(name: string): void; silent(name: string): void; cpuMs(name: string): number | null },
  ) {
    this.#patienceMs = patienceMs
    this.#cpuMs = cpuMs
    this.#stop = time.every(EVERY_MS, () => {
      for (const [name, silence] of [...this.#silences]) {
        if (this.#isOver(name, silence)) {
          this.#silences.delete(name)
          silent(name)
        } else ask(name)
      }
    })
  }

  /** Asks this one too from now on, and begins to count again. */
  answered(name: string): void {
    this.#silences.set(name, { open: 0, atAnswer: null, atQuestion: null })
  }

  forget(name: string): void {
    this.#silences.delete(name)
  }

  close(): void {
    this.#stop()
  }

  /** Counts one more question, unless this name has only been waiting for a CPU. */
  #isOver(name: string, silence: Silence): boolean {
    const most = Math.max(1, Math.round(this.#patienceMs / EVERY_MS))
    const cpu = this.#cpuMs(name)
    const ran = cpu !== null && silence.atQuestion !== null && cpu > silence.atQuestion
    const blocks = ran && cpu - silence.atAnswer! >= this.#patienceMs
    if (blocks || (!ran && silence.open >= most)) return true
    silence.atAnswer ??= cpu
    silence.atQuestion = cpu
    if (!ran) silence.open++
    return false
  }
}
