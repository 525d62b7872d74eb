import type { Reporter, ReporterOptions } from './reporter.ts'

/** A command that ends before has no report: nobody would have seen it. */
const AFTER_MS = 2000

/** Reports of a command that has just begun. */
export interface Reports {
  /**
   * Says that the command has ended, if anybody knows of it. It takes a second at most, and throws nothing. `thrown`: what ended it.
   * Null, the default: it did what it was asked to.
   */
  close(thrown?: unknown): Promise<void>
}

/** Begins to report after 2 s. Nothing is loaded, connected or created before. */
export function reportLater(options: ReporterOptions): Reports {
  let loading: Promise<Reporter> | null = null
  const timer = setTimeout(() => {
    loading = import('./reporter.ts').then(({ Reporter }) => new Reporter(options))
    loading.catch(() => {}) // `close` waits for it
  }, AFTER_MS).unref()
  return {
    async close(thrown) {
      clearTimeout(timer)
      await loading?.then(reporter => reporter.close(thrown)).catch(() => {})
    },
  }
}
