import { castsOf, conflictOf } from '../core/output-kinds.ts'
import { isReject, outcomesOf } from '../core/result-slice.ts'
import { CellRules } from '../core/whole-columns.ts'
import type { Job, Kind, Result } from '../model.ts'
import { rowBytes } from '../wire/packed-rows.ts'
import { sameNames } from './compare.ts'
import { type KeptRow, type Sample, sampleOf } from './sample.ts'
import { shapeOf } from './shape.ts'

/** At most so many rows of a result are chosen. */
const ROWS_OF_RESULT = 50
/** Of rows that take more than this together, fewer are chosen. */
const BYTES_OF_RESULT = 256 * 1024
/** They are chosen for at most so many columns ... */
const MOST_COLUMNS = 1000
/** ... and for so many different looks of a cell. */
const SHAPES = 6
/** Rows of a job that take more than this together are not kept. */
const MOST_BYTES = 4 * 1024 * 1024

/** A batch in which some columns had a kind that they had in no batch before. */
export interface MetKinds {
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  /** Rows that show why its columns have these kinds. */
  readonly rows: readonly KeptRow[]
}

/** What a classifier is asked: whether rows come out alike in these batches and together. */
export interface KindsQuestion {
  readonly sample: Sample
  /** The batches, as places among the rows. */
  readonly batches: readonly (readonly number[])[]
}

/** The kinds that each column had. */
export class KindsOfColumns {
  /** For each kind, the columns that had it. */
  readonly #seen = new Map<Kind, Set<number>>()

  /** Adds kinds, and returns the columns for which they are new. */
  add(kinds: readonly Kind[]): number[] {
    return [...kinds.keys()].filter(column => {
      const columns = this.#seen.get(kinds[column]!) ?? new Set()
      this.#seen.set(kinds[column]!, columns)
      return columns.size < columns.add(column).size
    })
  }

  of(column: number): Kind[] {
    return [...this.#seen].filter(([, columns]) => columns.has(column)).map(([kind]) => kind)
  }
}

/**
 * The batches of a job that brought kinds, with some of their rows. Two kinds in one column may follow from the rows of a batch,
 * or from each row by itself, and cells alone do not tell: from a list 1 stays 1 beside text, from `fillna('')` it would be 1.0.
 */
export class KindsMet {
  readonly #rules: CellRules
  readonly #casts: ReadonlySet<string>
  readonly #kinds = new KindsOfColumns()
  readonly #batches: KeptRow[][] = []
  readonly #seqs = new Set<number>()
  #columns: readonly string[] | null = null
  #bytes = 0

  constructor(job: Pick<Job, 'options'>) {
    this.#rules = new CellRules(job)
    this.#casts = new Set(castsOf(job))
  }

  /** Adds a batch. Returns whether the classifier must be asked: no rule decides about a kind that it brought. */
  add({ columns, kinds, rows }: MetKinds): boolean {
    this.#columns ??= columns
    if (!sameNames(columns, this.#columns)) return false // the collector ends the job
    const isNew = this.#kinds.add(kinds)
    const kept = rows.filter(({ seq }) => !this.#seqs.has(seq)) // a batch may come twice, cut in another way
    const bytes = kept.reduce((sum, { row }) => sum + rowBytes(row), 0)
    if (isNew.length === 0 || this.#bytes + bytes > MOST_BYTES) return false
    this.#bytes += bytes
    this.#batches.push(kept)
    for (const { seq } of kept) this.#seqs.add(seq)
    return isNew.some(column => !this.#casts.has(columns[column]!) && this.#isUndecided(column, kinds[column]!))
  }

  /** The rows of all batches. */
  get question(): KindsQuestion {
    const sample = sampleOf(this.#batches.flat())
    const placeOf = new Map(sample.seqs.map((seq, place) => [seq, place]))
    return {
      sample,
      batches: this.#batches.map(rows => rows.map(({ seq }) => placeOf.get(seq)!).sort((a, b) => a - b)),
    }
  }

  #isUndecided(column: number, kind: Kind): boolean {
    return this.#kinds
      .of(column)
      .some(other => !isAlike(kind, other, this.#rules) && conflictOf([kind, other], this.#rules) === null)
  }
}

/** Whether the two kinds say only which values a column of one dtype has. */
function isAlike(a: Kind, b: Kind, rules: CellRules): boolean {
  const both = (...kinds: Kind[]) => kinds.includes(a) && kinds.includes(b)
  const isMissing = [a, b].some(kind => kind === 'empty' || kind === 'missing')
  if (both('integer', 'negative') || both('float', 'whole')) return true
  // Integers beyond 2^53 would have been floats if the column had missing values, and rounded.
  if (both('Int64', 'Int64 long') || both('Int64', 'Int64 missing')) return true
  return a === b || (!isMissing && rules.areDates([a, b]))
}

/** The first of these rows that are not too long together. At least two of them. */
export function fewBytes(rows: readonly KeptRow[]): KeptRow[] {
  let bytes = 0
  return rows.filter(({ row }, at) => {
    bytes += rowBytes(row)
    return at < 2 || bytes <= BYTES_OF_RESULT
  })
}

/** Rows of a result, by position, that show why these columns have their kinds: the cells of each look different. */
export function rowsThatShow(result: Result, columns: readonly number[]): number[] {
  const outcomes = outcomesOf({ result, index: 0, count: result.count })
  const chosen = new Set<number>()
  const choose = (at: number) => chosen.size < ROWS_OF_RESULT && at >= 0 && chosen.add(at)
  choose(outcomes.findIndex(outcome => !isReject(outcome) && outcome.length === 0)) // a dropped row
  for (const column of columns.slice(0, MOST_COLUMNS)) {
    const shapes = new Map<string, number>()
    let [longest, chars] = [-1, -1]
    for (const [at, outcome] of outcomes.entries()) {
      for (const cells of isReject(outcome) ? [] : outcome) {
        const cell = cells[column]!
        if (cell.length > chars) [longest, chars] = [at, cell.length]
        const shape = shapeOf(cell)
        if (shapes.size < SHAPES && !shapes.has(shape)) shapes.set(shape, at)
      }
    }
    for (const at of [...shapes.values(), longest]) choose(at)
  }
  return [...chosen]
}
