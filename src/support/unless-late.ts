import type { Time } from './clock.ts'

/**
 * Settles as `work` does, or resolves with `late` after so many ms, or earlier when `signal` aborts. It does not stop the work:
 * after that nobody waits for it.
 */
export async function unlessLate<T>(
  work: Promise<T>,
  ms: number,
  time: Pick<Time, 'sleep'>,
  signal?: AbortSignal,
): Promise<T | 'late'> {
  work.catch(() => {})
  const over = new AbortController()
  const stop = signal ? AbortSignal.any([over.signal, signal]) : over.signal
  const late = time.sleep(ms, stop).then(() => 'late' as const)
  try {
    return await Promise.race([work, late])
  } finally {
    over.abort()
  }
}
