import { setTimeout as sleep } from 'node:timers/promises'

/** Nothing in the run may pause for longer. */
export const PATIENCE_MS = 120_000

/** Polls for a condition that has no event. */
export async function until(what: string, signal: AbortSignal, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!holds()) {
    signal.throwIfAborted()
    if (performance.now() > deadline) throw new Error(`for ${PATIENCE_MS / 1000} s not: ${what}`)
    await sleep(50)
  }
}

/** What must come within the patience of the run. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const patience = new AbortController()
  const late = sleep(PATIENCE_MS, null, { signal: patience.signal }).then(
    () => {
      throw new Error(`for ${PATIENCE_MS / 1000} s not: ${what}`)
    },
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    patience.abort()
  }
}
