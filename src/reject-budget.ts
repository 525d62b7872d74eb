import { RowmillError } from './errors.ts'
import { type Job, optionOf, type Rejected } from './model.ts'

/** Counts the rows of a job that have no result, and ends it where they are more than it may have. */
export class RejectBudget {
  readonly #job: string
  /** A number of rows, or `P%` of all rows. */
  readonly #given: string
  #rejects: number
  #first: Rejected | null = null

  /** `rejects` were counted before. */
  constructor({ id, options }: Job, rejects: number) {
    this.#job = id
    this.#given = optionOf(options, 'maxRejects') ?? '0'
    this.#rejects = rejects
  }

  /** `total`: the rows of the whole job, or null where nobody knows yet. Throws REJECTS_OVER_BUDGET. */
  add(rejected: readonly Rejected[], total: number | null): void {
    if (rejected.length === 0) return
    this.#rejects += rejected.length
    this.#first ??= rejected[0]!
    this.check(total)
  }

  check(total: number | null): void {
    const budget = this.#of(total)
    if (budget !== null && this.#rejects > budget) throw this.#overBudget(budget)
  }

  /** In rows; null for a part of a whole that is not known yet. */
  #of(total: number | null): number | null {
    if (!this.#given.endsWith('%')) return Number(this.#given)
    return total === null ? null : Math.floor((total * Number(this.#given.slice(0, -1))) / 100)
  }

  #overBudget(budget: number): RowmillError {
    const many = `${this.#rejects} rows have no result, and the budget is ${budget}`
    if (!this.#first) return new RowmillError('REJECTS_OVER_BUDGET', `job ${this.#job}: ${many}`)
    const { seq, line, reason, detail } = this.#first
    const row = `${seq === null ? 'a row' : `row ${seq}`}${line === null ? '' : ` (line ${line})`}`
    const which = budget === 0 ? row : `${many}. The first, ${row},`
    const message = `job ${this.#job}: ${which} was rejected: ${reason} ${detail}`
    return new RowmillError('REJECTS_OVER_BUDGET', message, { job: this.#job, seq, line })
  }
}
