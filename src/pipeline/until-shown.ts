import { setTimeout as sleep } from 'node:timers/promises'

/** The last pause before a change counts as not shown. All pauses together take about twice as long. */
const LONGEST_PAUSE_MS = 2000

/**
 * Asks until the broker shows a change of its topics, and resolves with whether it does. It hears of the change from the
 * controller, after the request, and announces nothing.
 */
export async function untilShown(isShown: () => Promise<boolean>): Promise<boolean> {
  for (let pauseMs = 5; !(await isShown()); pauseMs *= 2) {
    if (pauseMs > LONGEST_PAUSE_MS) return false
    await sleep(pauseMs)
  }
  return true
}
