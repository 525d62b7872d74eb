/** After all rows are done, a probe has as long as the job took, but at least so long. */
export const PATIENCE_MS = 60_000
/** After this long we log that the job waits for the probe. */
export const SAY_AFTER_MS = 1000

/**
 * Waits for a verdict after the last row. If it does not come within `patienceMs`, calls `giveUp` with the reason. That call
 * must settle the verdict.
 */
export async function verdictWithin<T>(
  verdict: Promise<T>,
  patienceMs: number,
  giveUp: (why: string) => void,
): Promise<T> {
  const why = `it took longer than ${Math.round(patienceMs / 1000)} s after the last row`
  const timer = setTimeout(() => giveUp(why), patienceMs)
  try {
    return await verdict
  } finally {
    clearTimeout(timer)
  }
}
