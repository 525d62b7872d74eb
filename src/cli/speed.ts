/** The speed is measured over this window. */
const SPEED_MS = 10_000

/** Rows a second, from how many rows there were at each look. */
export class Speed {
  #samples: { at: number; rows: number }[] = []

  of(rows: number): number {
    const now = performance.now()
    this.#samples.push({ at: now, rows })
    while (this.#samples.length > 2 && now - this.#samples[0]!.at > SPEED_MS) this.#samples.shift()
    const first = this.#samples[0]!
    return now === first.at ? 0 : ((rows - first.rows) * 1000) / (now - first.at)
  }
}
