import type { Bench } from './bench.ts'

/** One figure, or one table of figures that belong together. */
export interface Part {
  readonly name: string
  /** For `--list`. */
  readonly what: string
  /** The sizes that are measured, unless `--rows` gives others. */
  readonly rows: readonly number[]
  /** What is compared. Each can be chosen by `--only` too. */
  readonly contenders: readonly string[]
  measure(bench: Bench, rows: number): Promise<Section>
}

/** A section of bench/results.md. The next one with its title replaces it. */
export interface Section {
  readonly title: string
  /** What ran, and what its times include. */
  readonly how: string
  readonly lines: readonly string[]
}

export interface Chosen {
  readonly parts: readonly Part[]
  /** Null: every contender of these parts. */
  readonly contenders: readonly string[] | null
}

/**
 * What `--only` chooses. Names of parts choose parts. Names of contenders leave the others out, and choose the parts that
 * have one of them if no part is named. Throws RangeError for a name that nothing has.
 */
export function choose(all: readonly Part[], only: string | undefined): Chosen {
  if (only === undefined) return { parts: all, contenders: null }
  const names = only.split(',').map(name => name.trim())
  const named = all.filter(({ name }) => names.includes(name))
  const contenders = names.filter(name => all.every(part => part.name !== name))
  for (const name of contenders) {
    if (!all.some(part => part.contenders.includes(name)))
      throw new RangeError(`--only ${name}: no part and no contender has this name. --list shows them`)
  }
  if (contenders.length === 0) return { parts: named, contenders: null }
  const among = named.length > 0 ? named : all
  return { parts: among.filter(part => part.contenders.some(name => contenders.includes(name))), contenders }
}
