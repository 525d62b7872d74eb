import type { RunProgress } from './run-options.ts'

/** Adds up what publisher, workers and collector report, and passes each sum on. */
export class ProgressSum {
  readonly #onProgress: (progress: RunProgress) => void
  #sum: RunProgress = { published: 0, classified: 0, written: 0, rejected: 0, total: null }

  constructor(onProgress: (progress: RunProgress) => void) {
    this.#onProgress = onProgress
  }

  /** The sums so far. */
  get sum(): RunProgress {
    return this.#sum
  }

  total(total: number | null): void {
    this.#tell({ total })
  }

  published(published: number): void {
    this.#tell({ published })
  }

  /** A batch that was classified. A worker also counts a batch that another one had classified before it died. */
  classified(rows: number): void {
    const { published, classified } = this.#sum
    this.#tell({ classified: Math.min(published, classified + rows) })
  }

  /** Rows that are written or rejected were classified, even if a worker has not reported them yet. */
  written(written: number, rejected: number): void {
    this.#tell({ written, rejected, classified: Math.max(this.#sum.classified, written + rejected) })
  }

  #tell(change: Partial<RunProgress>): void {
    this.#sum = { ...this.#sum, ...change }
    this.#onProgress(this.#sum)
  }
}
