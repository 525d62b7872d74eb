import { castsOf, decidingKinds } from '../core/output-kinds.ts'
import { type CellChanges, CellRules, ChangedCells, WholeColumns } from '../core/whole-columns.ts'
import type { Job, Kind, Values } from '../model.ts'
import type { OutputPart } from './output-rows.ts'

/** The rows of the output as pandas writes them over the whole file. That shows only when all of them were read. */
export class WholeOutput {
  readonly #rules: CellRules
  readonly #casts: ReadonlySet<string>
  readonly #whole: WholeColumns
  readonly #changed: ChangedCells | null
  readonly #kinds: Set<Kind>[] = []
  #columns: readonly string[] = []

  /** `changes` are those that an earlier reading of all rows found. */
  constructor(job: Job, changes: CellChanges | null) {
    this.#rules = new CellRules(job)
    this.#casts = new Set(castsOf(job))
    this.#whole = new WholeColumns(this.#rules)
    this.#changed = changes && new ChangedCells(this.#rules, changes)
  }

  /** The next rows with their final cells. Rejected rows stay null. */
  of(part: OutputPart): OutputPart {
    const rows = part.rows.flatMap(outputs => outputs ?? [])
    for (const [column, kind] of part.kinds.entries()) {
      this.#kinds[column] ??= new Set()
      this.#kinds[column].add(kind)
      this.#columns = part.columns
    }
    this.#whole.add(rows, part)
    if (!this.#changed) return part
    const changed = this.#changed.of(rows, part).values()
    return { ...part, rows: part.rows.map(outputs => outputs?.map(() => changed.next().value as Values) ?? null) }
  }

  /** What must change in the rows so far. Null: nothing, or it is changed already. */
  get changes(): CellChanges | null {
    if (this.#changed) return null
    const kinds = this.#kinds.map((seen, at) =>
      decidingKinds([...seen], { isCast: this.#casts.has(this.#columns[at]!), rules: this.#rules }),
    )
    return this.#whole.changes(kinds)
  }
}
