import type { Values } from '../model.ts'

/** A row without a result, and why. */
export interface NoResult {
  readonly reason: string
  readonly detail: string
}

/** The output rows of one row, or why it has no result. */
export type Outcome = readonly Values[] | NoResult

/** What became of rows in one cut. */
export interface Outcomes {
  /** None if every row is rejected: then nobody knows the columns. */
  readonly columns: readonly string[]
  /** For each row that came in, its output rows, or why it has no result. Dropped rows at the end may be missing. */
  readonly rows: readonly Outcome[]
}

/** Where two cuts of the same rows differ. `row` is the place among these rows. */
export type Difference =
  | { readonly what: 'columns'; readonly one: readonly string[]; readonly other: readonly string[] }
  | {
      readonly what: 'outcome'
      readonly row: number
      readonly one: Outcome
      readonly other: Outcome
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
  for (let row = 0; row < Math.max(a.rows.length, b.rows.length); row++) {
    const [one, other] = [a.rows[row] ?? [], b.rows[row] ?? []]
    if (isReject(one) && isReject(other)) continue
    if (isReject(one) || isReject(other) || one.length !== other.length) yield { what: 'outcome', row, one, other }
    else for (const [at, cells] of one.entries()) yield* differentCells(row, cells, other[at]!)
  }
}

function* differentCells(row: number, one: Values, other: Values): Generator<Difference> {
  for (const column of one.keys())
    if (one[column] !== other[column]) yield { what: 'cell', row, column, one: one[column], other: other[column] }
}

/** An outcome in words: the cells of its only row or of all rows as JSON, or the reason. */
export function describeOutcome(outcome: Outcome): string {
  if (!isReject(outcome)) return JSON.stringify(outcome.length === 1 ? outcome[0] : outcome)
  return `rejected (${outcome.reason} ${outcome.detail.split('\n', 1)[0]})`
}

export function isReject(outcome: Outcome): outcome is NoResult {
  return 'reason' in outcome
}

export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i])
}
