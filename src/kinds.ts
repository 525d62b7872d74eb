import { RowmillError } from './errors.ts'
import type { Kind, Result } from './model.ts'

/**
 * Pairs of kinds in one column that the old one-process job would have written otherwise. Over the whole column, pandas
 * makes floats of integers beside floats or beside missing values (1 becomes 1.0), and keeps in an object column as
 * they were the integers that a batch with missing values turns into floats.
 */
const DRIFTING: ReadonlySet<string> = new Set([
  'integer float',
  'integer whole',
  'integer empty',
  'whole text',
  'whole mixed',
  'whole boolean',
])

/** Holds what earlier results of a job said of its output columns against each further one. */
export class OutputKinds {
  readonly #job: string
  #columns: readonly string[] | null = null
  #classifier: Uint8Array | null = null
  #classifierBy = ''
  #seen: Map<Kind, string>[] = []

  constructor(job: string) {
    this.#job = job
  }

  /** `rows` names the rows of the result for a message. Throws KIND_DRIFT or CLASSIFIER_MIXED. */
  check(result: Result, rows: string): void {
    if (this.#classifier === null) {
      this.#classifier = result.classifier
      this.#classifierBy = result.by
    } else if (Buffer.compare(this.#classifier, result.classifier) !== 0) {
      throw new RowmillError(
        'CLASSIFIER_MIXED',
        `job ${this.#job}: workers ${this.#classifierBy} and ${result.by} run different classifiers, or under different ` +
          'Python or pandas versions. Restart them with the same ones.',
        { job: this.#job },
      )
    }
    if (result.count === result.rejected.length && result.count > 0) return
    this.#checkColumns(result.columns, rows)
    result.kinds.forEach((kind, column) => {
      if (!this.#seen[column]!.has(kind)) this.#meet(column, kind, rows)
    })
  }

  #checkColumns(columns: readonly string[], rows: string): void {
    if (this.#columns === null) {
      this.#columns = columns
      this.#seen = columns.map(() => new Map())
      return
    }
    if (columns.length === this.#columns.length && columns.every((name, i) => name === this.#columns![i])) return
    throw new RowmillError(
      'KIND_DRIFT',
      `job ${this.#job}: the classifier returned the columns ${list(columns)} for ${rows}, and ${list(this.#columns)} before. ` +
        'It must return the same columns for every batch.',
      { job: this.#job },
    )
  }

  #meet(column: number, kind: Kind, rows: string): void {
    const seen = this.#seen[column]!
    for (const [other, otherRows] of seen) {
      if (!DRIFTING.has(`${other} ${kind}`) && !DRIFTING.has(`${kind} ${other}`)) continue
      const name = this.#columns![column]!
      throw new RowmillError(
        'KIND_DRIFT',
        `job ${this.#job}: column ${name} is ${kind} in ${rows} and ${other} in ${otherRows}; over the whole file pandas would ` +
          `have written one kind. Say which: --cast '${name}=float64', or =Int64, or =str.`,
        { job: this.#job, column: name },
      )
    }
    seen.set(kind, rows)
  }
}

function list(columns: readonly string[]): string {
  return columns.map(name => JSON.stringify(name)).join(', ')
}
