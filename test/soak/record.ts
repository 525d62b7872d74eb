import { KINDS, type Kind } from './schedule.ts'

/** A pause that is worth a line: one fault alone costs less. */
const LONG_SECONDS = 10

/** What happened in a run. */
export class SoakRecord {
  #began = performance.now()
  readonly #faults: { kind: Kind; at: number }[] = []
  /** Times without progress of a running job. */
  readonly #pauses: { from: number; to: number }[] = []
  jobs = 0
  rows = 0
  classifiedTwice = 0
  duplicates = 0
  /** Commands that ended with 3 during an outage, and were restarted. */
  unreachable = 0

  /** From here on the time counts. */
  begin(): void {
    this.#began = performance.now()
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000
  }

  say(what: string, who: string): void {
    console.log(`${this.seconds.toFixed(1).padStart(7)} s  ${what.padEnd(32)}${who}`.trimEnd())
  }

  fault(kind: Kind, who: string): void {
    this.#faults.push({ kind, at: performance.now() })
    this.say(kind, who)
  }

  paused(from: number, to: number, job: string): void {
    this.#pauses.push({ from, to })
    const seconds = (to - from) / 1000
    if (seconds >= LONG_SECONDS) this.say('moves again', `job ${job}, after ${seconds.toFixed(1)} s`)
  }

  count(kind: Kind): number {
    return this.#faults.filter(fault => fault.kind === kind).length
  }

  get faults(): number {
    return this.#faults.length
  }

  table(): string {
    const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
    const kinds = KINDS.map(kind => line([kind, this.count(kind), this.#longestPause(kind).toFixed(1)]))
    const sums = [
      line(['jobs completed', this.jobs]),
      line(['rows', this.rows]),
      line(['rows classified twice', this.classifiedTwice]),
      line(['duplicates dropped', this.duplicates]),
      line(['commands that ended with 3 in an outage, restarted', this.unreachable]),
      line(['faults', this.faults]),
      line(['seconds', this.seconds.toFixed(0)]),
    ]
    const head = [line(['fault', 'count', 'longest time of a job without progress after it, s']), '|---|---|---|']
    return [...head, ...kinds, '', line(['sum', '']), '|---|---|', ...sums].join('\n')
  }

  /** In seconds, from a fault on, of the pauses that were there or began before the next fault. */
  #longestPause(kind: Kind): number {
    const lengths = this.#faults.flatMap(({ kind: of, at }, i) => {
      if (of !== kind) return []
      const next = this.#faults[i + 1]?.at ?? Number.POSITIVE_INFINITY
      const its = this.#pauses.filter(({ from, to }) => from < next && to > at)
      return its.map(({ from, to }) => to - Math.max(from, at))
    })
    return Math.max(0, ...lengths) / 1000
  }
}
