/** Whole numbers below a bound, from SEED or a random seed, which is printed. The same seed gives the same numbers. */
export function seeded(t: { diagnostic(message: string): void }): (below: number) => number {
  let state = Number(process.env['SEED'] ?? Date.now() % 100_000)
  t.diagnostic(`SEED=${state}`)
  return below => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}
