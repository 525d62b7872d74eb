import type { Source, SourceHeader } from '../connector.ts'
import type { Supervisor } from './supervisor.ts'

/**
 * The workers of a run, as many as there are blocks of rows at most: a Python with pandas that gets no row only takes
 * time from those that do. One starts at once. The others follow while the source counts.
 */
export class StartingWorkers {
  readonly #supervisor: Supervisor
  readonly #options: { readonly workers: number; readonly batchRows: number }
  readonly #wanted = Promise.withResolvers<number>()
  #count = 0

  constructor(supervisor: Supervisor, options: { readonly workers: number; readonly batchRows: number }) {
    this.#supervisor = supervisor
    this.#options = options
    this.#forRows(0)
  }

  /** Opens the source. Where it does not know how many rows it has, all workers are started. */
  async open(source: Source): Promise<SourceHeader> {
    try {
      const header = await source.open(rows => this.#forRows(rows))
      this.#forRows(header.total ?? Number.POSITIVE_INFINITY)
      return header
    } finally {
      this.#wanted.resolve(this.#count)
    }
  }

  /** How many there will be: known when the source is open, or has as many rows as all workers need. */
  get wanted(): Promise<number> {
    return this.#wanted.promise
  }

  #forRows(rows: number): void {
    const { workers, batchRows } = this.#options
    this.#count = Math.min(workers, Math.max(1, Math.ceil(rows / batchRows)))
    this.#supervisor.start(this.#count)
    if (this.#count === workers) this.#wanted.resolve(workers)
  }
}
