import { RowmillError } from '../errors.ts'
import { type Job, optionOf, type Rejected } from '../model.ts'

/** How many rejects are kept for the summary at the end. */
const KEPT = 100

/** Counts the rejects of a job, and throws when there are more than its budget allows. */
export class RejectBudget {
  readonly #job: string
  /** A number of rows, or `P%` of all rows. */
  readonly #given: string
  #rejects: number
  readonly #kept: Rejected[] = []

  /** `rejects` is the count so far. */
  constructor({ id, options }: Job, rejects: number) {
    this.#job = id
    this.#given = optionOf(options, 'maxRejects') ?? '0'
    this.#rejects = rejects
  }

  /** `total`: the rows of the whole job, or null if not known yet. Throws REJECTS_OVER_BUDGET. */
  add(rejected: readonly Rejected[], total: number | null): void {
    if (rejected.length === 0) return
    this.#rejects += rejected.length
    this.#kept.push(...rejected.slice(0, KEPT - this.#kept.length))
    this.check(total)
  }

  /** The first rejects that were added, at most 100. */
  get kept(): readonly Rejected[] {
    return this.#kept
  }

  check(total: number | null): void {
    const budget = this.#of(total)
    if (budget !== null && this.#rejects > budget) throw this.#overBudget(budget)
  }

  /** In rows; null for a percentage of a total that is not known yet. */
  #of(total: number | null): number | null {
    if (!this.#given.endsWith('%')) return Number(this.#given)
    return total === null ? null : Math.floor((total * Number(this.#given.slice(0, -1))) / 100)
  }

  #overBudget(budget: number): RowmillError {
    const many = `${this.#rejects} rows were rejected, and --max-rejects allows ${budget}`
    const first = this.#kept[0]
    if (!first) return new RowmillError('REJECTS_OVER_BUDGET', `job ${this.#job}: ${many}`)
    const { seq, line, reason, detail } = first
    const row = nameOf(first)
    const which = budget === 0 ? row : `${many}. The first, ${row},`
    const message = `job ${this.#job}: ${which} was rejected: ${reason} ${detail}`
    return new RowmillError('REJECTS_OVER_BUDGET', message, { job: this.#job, seq, line })
  }
}

/** `row 17 (line 19)`, or `a row` without a seq. */
export function nameOf({ seq, line }: Pick<Rejected, 'seq' | 'line'>): string {
  return `${seq === null ? 'a row' : `row ${seq}`}${line === null ? '' : ` (line ${line})`}`
}
