/** How long a call may take before its rule counts as broken. */
const PATIENCE_MS = 60_000

/** One rule of a contract. `check` throws if it is broken. */
export type Rule = readonly [name: string, check: () => Promise<void>]

/**
 * Checks every rule, one after the other. Throws one error that lists all broken rules, each with the reason. A rule may take
 * `patienceMs`; null: as long as it likes.
 */
export async function checkRules(
  what: string,
  rules: readonly Rule[],
  patienceMs: number | null = PATIENCE_MS,
): Promise<void> {
  const broken: string[] = []
  for (const [name, check] of rules) {
    try {
      await (patienceMs === null ? check() : inTime(check(), patienceMs))
    } catch (error) {
      broken.push(`- ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (broken.length > 0) throw new Error(`${what} breaks its contract:\n${broken.join('\n')}`)
}

async function inTime<T>(promise: Promise<T>, patienceMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not done after ${patienceMs} ms`)), patienceMs)
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
