import { once } from 'node:events'

/** What `work` resolves to, or, before that, a rejection with the reason of `signal`. Does not end the work. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const over = new AbortController()
  const aborted = once(signal, 'abort', { signal: over.signal }).then(() => Promise.reject(signal.reason))
  try {
    return await Promise.race([work, aborted])
  } finally {
    over.abort()
    aborted.catch(() => {})
  }
}
