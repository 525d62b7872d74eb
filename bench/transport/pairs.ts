import { median } from '../report.ts'

/** What one run cost. */
export interface Cost {
  readonly seconds: number
  /** CPU seconds of the command and its worker. */
  readonly ownCpu: number
  /** CPU seconds of the broker. */
  readonly brokerCpu: number
  /** The messages of all topics on the broker's disk. */
  readonly diskBytes: number
}

/** One way and plaintext, one right after the other. */
export interface Pair {
  readonly name: string
  readonly plaintext: Cost
  readonly other: Cost
}

export interface Ratio {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** How many times the figure of plaintext the other way has, over all pairs. */
export function ratioOf(pairs: readonly Pair[], figure: keyof Cost): Ratio {
  const ratios = pairs.map(({ plaintext, other }) => other[figure] / plaintext[figure])
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) }
}
