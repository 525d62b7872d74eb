import type { Source, SourceHeader } from '../connector.ts'
import type { Supervisor } from './supervisor.ts'

/**
 * Starts the workers of a run, but no more than there are blocks of rows: a Python that gets no rows only slows down the
 * others. One worker starts at once. The others start while the source counts its rows.
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

  /** Opens the source. Starts all workers if the source does not know how many rows it has. */
  async open(source: Source): Promise<SourceHeader> {
    try {
      const header = await source.open(rows => this.#forRows(rows))
      this.#forRows(header.total ?? Number.POSITIVE_INFINITY)
      return header
    } finally {
      this.#wanted.resolve(this.#count)
    }
  }

  /** How many workers there will be. Resolves when the source is open, or has counted enough rows for all workers. */
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
