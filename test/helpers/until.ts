import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

const WAIT_MS = 120_000

/** Polls for a condition that has no event. A look that never ends is one that does not hold. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const settled = new AbortController()
  const late = sleep(WAIT_MS, 'late', { signal: settled.signal }).catch(() => 'settled')
  try {
    for (;;) {
      const seen = await Promise.race([holds(), late])
      assert.ok(seen !== 'late', `never: ${what}`)
      if (seen) return
      await sleep(20)
    }
  } finally {
    settled.abort()
  }
}
