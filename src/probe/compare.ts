import type { Values } from '../model.ts'

/** A row without a result, and why. */
export interface NoResult {
  readonly reason: string
  readonly detail: string
}

/** What became of rows in one cut. */
export interface Outcomes {
  /** None if every row is rejected: then nobody knows the columns. */
  readonly columns: readonly string[]
  /** For each row that came in, the cells of its output, or why it has none. */
  readonly rows: readonly (Values | NoResult)[]
}

/** Where two cuts of the same rows differ. `row` is the place among these rows. */
export type Difference =
  | { readonly what: 'columns'; readonly one: readonly string[]; readonly other: readonly string[] }
  | {
      readonly what: 'outcome'
      readonly row: number
      readonly one: Values | NoResult
      readonly other: Values | NoResult
    }
  | {
      readonly what: 'cell'
      readonly row: number
      readonly column: number
      readonly one: string | undefined
      readonly other: string | undefined
    }

/** Every difference of two cuts of the same rows, in the order of the rows. Two rejects are alike, whatever their reasons. */
export function* differencesOf(a: Outcomes, b: Outcomes): Generator<Difference> {
  if (a.columns.length > 0 && b.columns.length > 0 && !sameNames(a.columns, b.columns)) {
    yield { what: 'columns', one: a.columns, other: b.columns }
    return
  }
  for (const [row, one] of a.rows.entries()) {
    const other = b.rows[row]!
    if (isReject(one) && isReject(other)) continue
    if (isReject(one) || isReject(other)) yield { what: 'outcome', row, one, other }
    else {
      for (let at = 0; at < Math.max(one.length, other.length); at++) {
        const column = at % Math.max(1, a.columns.length)
        if (one[at] !== other[at]) yield { what: 'cell', row, column, one: one[at], other: other[at] }
      }
    }
  }
}

/** An outcome in words: its cells as JSON, or the reason. */
export function describeOutcome(outcome: Values | NoResult): string {
  if (!isReject(outcome)) return JSON.stringify(outcome)
  return `rejected (${outcome.reason} ${outcome.detail.split('\n', 1)[0]})`
}

export function isReject(outcome: Values | NoResult): outcome is NoResult {
  return 'reason' in outcome
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i])
}
