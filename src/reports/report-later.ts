import type { Reporter, ReporterOptions } from './reporter.ts'

/** A command that ends before has no report, unless it failed or `tellsEnd`: nobody would have seen it. */
const AFTER_MS = 2000

/** Reports of a command that has just begun. */
export interface Reports {
  /**
   * Says that the command has ended, if anybody knows of it or should. It takes a second at most, and throws nothing. `thrown`: what
   * ended it. Null, the default: it did what it was asked to.
   */
  close(thrown?: unknown): Promise<void>
}

/**
 * Begins to report after 2 s. Nothing is loaded, connected or created before, but for the end of a command that fails. A run whose
 * topic would have to be created makes none: its own file says that it is not complete. `tellsEnd`: its end matters in any case.
 */
export function reportLater(options: ReporterOptions, { tellsEnd = false } = {}): Reports {
  let loading: Promise<Reporter> | null = null
  const begin = () => {
    loading ??= import('./reporter.ts').then(({ Reporter }) => new Reporter(options))
    loading.catch(() => {}) // `close` waits for it
    return loading
  }
  const timer = setTimeout(begin, AFTER_MS).unref()
  return {
    async close(thrown = null) {
      clearTimeout(timer)
      const reporter = (thrown !== null || tellsEnd) && !options.prepare ? begin() : loading
      await reporter?.then(found => found.close(thrown)).catch(() => {})
    },
  }
}
