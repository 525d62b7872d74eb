import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

/** Polls for a condition that has no event. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `never: ${what}`)
    await sleep(20)
  }
}
