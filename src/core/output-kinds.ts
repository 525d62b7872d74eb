import { RowmillError } from '../errors.ts'
import type { Job, Kind, Result } from '../model.ts'
import { jsonOptionOf } from './job.ts'
import type { CellRules } from './whole-columns.ts'

/** Kinds whose values pandas writes one by one. Any other kind is a dtype, which pandas writes as a whole column. */
const BY_VALUE: ReadonlySet<Kind> = new Set(['empty', 'integer', 'float', 'whole', 'boolean', 'text', 'mixed'])

/**
 * Pairs of kinds in one column that the original job, in one process, would have written differently. With the whole
 * column, pandas turns integers beside floats or missing values into floats: 1 becomes 1.0. In an object column it keeps
 * integers that it would turn into floats in a batch of numbers alone.
 */
const DRIFTING: ReadonlySet<string> = new Set(
  ['integer float', 'integer whole', 'integer empty', 'whole text', 'whole mixed', 'whole boolean'].flatMap(pair => [
    pair,
    pair.split(' ').reverse().join(' '),
  ]),
)

/** Two kinds whose columns pandas would have written otherwise over the whole file, in a way that the cells do not tell. */
function conflictOf(kinds: readonly Kind[], rules: CellRules | null): readonly [Kind, Kind] | null {
  if (rules?.areFloats(kinds) || rules?.areDates(kinds)) return null
  const latest = kinds.toReversed()
  for (const [i, a] of latest.entries()) {
    const b = latest.slice(i + 1).find(other => drift(a, other))
    if (b !== undefined) return [a, b]
  }
  return null
}

/** Numbers of an object column drift as those of a column of numbers do. */
function plain(kind: Kind): Kind {
  return kind.replace(/^object (?=integer|float)/, '')
}

/** Whether two kinds in one column say that pandas would have written it otherwise over the whole file. */
export function drift(first: Kind, second: Kind): boolean {
  const [a, b] = [plain(first), plain(second)]
  if (a === b) return false
  if (BY_VALUE.has(a) && BY_VALUE.has(b)) return DRIFTING.has(`${a} ${b}`)
  // Beside missing values, intervals of integers become intervals of floats. Dates and the like do not change.
  return (a !== 'empty' && b !== 'empty') || a.startsWith('interval') || b.startsWith('interval')
}

/** The output columns whose dtype the job names. */
export function castsOf({ options }: Pick<Job, 'options'>): string[] {
  const casts: [string, string][] = jsonOptionOf({ options }, 'cast', '[]')
  return casts.map(([column]) => column)
}

/** What the results of a job so far said about its output, as plain values. */
export interface KindsSeen {
  /** By attempt, the classifier in hex and the worker that ran it first. It may be repaired between attempts. */
  readonly classifiers: readonly (readonly [attempt: number, classifier: string, by: string])[]
  readonly columns: readonly string[] | null
  /** The columns of the first result whose rows were all dropped. They count only if no result has rows. */
  readonly columnsWithoutRows?: readonly string[]
  /** For each column, its kinds so far and the rows that had them first. */
  readonly kinds: readonly (readonly (readonly [Kind, string])[])[]
}

/** Compares the output columns of each result with those of the results before it. */
export class OutputKinds {
  readonly #job: string
  readonly #cast: ReadonlySet<string>
  readonly #rules: CellRules | null
  readonly #rewrites: boolean
  #columns: readonly string[] | null = null
  #columnsWithoutRows: readonly string[] | undefined
  readonly #classifiers = new Map<number, { classifier: Uint8Array; by: string }>()
  #seen: Map<Kind, string>[] = []

  /**
   * Columns in `cast` have the dtype that the user named; their kinds are not compared. `before` is an earlier `seen`. With
   * `rules`, kinds may differ whose cells can be written again as over the whole file. Unless `rewrites`, nobody can do that
   * here, and the error says so.
   */
  constructor(
    job: string,
    cast: readonly string[] = [],
    {
      before = null,
      rules = null,
      rewrites = true,
    }: { before?: KindsSeen | null; rules?: CellRules | null; rewrites?: boolean } = {},
  ) {
    this.#job = job
    this.#rules = rules
    this.#rewrites = rewrites
    this.#cast = new Set(cast)
    if (before === null) return
    for (const [attempt, classifier, by] of before.classifiers)
      this.#classifiers.set(attempt, { classifier: Buffer.from(classifier, 'hex'), by })
    this.#columns = before.columns
    this.#columnsWithoutRows = before.columnsWithoutRows
    this.#seen = before.kinds.map(kinds => new Map(kinds))
  }

  get seen(): KindsSeen {
    const classifiers = [...this.#classifiers].map(
      ([attempt, { classifier, by }]) => [attempt, Buffer.from(classifier).toString('hex'), by] as const,
    )
    const kinds = this.#seen.map(seen => [...seen])
    const without = this.#columnsWithoutRows
    return { classifiers, columns: this.#columns, ...(without ? { columnsWithoutRows: without } : {}), kinds }
  }

  /** The kinds of each column so far. Of a column with a cast there are none: its dtype is what the user says. */
  get kinds(): readonly (readonly Kind[])[] {
    return this.#seen.map((seen, column) => (this.#cast.has(this.#columns![column]!) ? [] : [...seen.keys()]))
  }

  /** `rows` describes the rows of the result, for a message. Throws KIND_DRIFT, BATCH_DEPENDENT or CLASSIFIER_MIXED. */
  check(result: Result, rows: string): void {
    if (result.count === result.rejected.length && result.count > 0) return
    this.#checkClassifier(result)
    if (result.rows.length === 0 && result.count > 0) {
      // All were dropped: a function may leave an empty DataFrame as it is, and its columns hold no value.
      this.#columnsWithoutRows ??= result.columns
      return
    }
    this.#checkColumns(result.columns, rows)
    result.kinds.forEach((kind, column) => {
      if (!this.#seen[column]!.has(kind)) this.#meet(column, kind, rows)
    })
  }

  #checkClassifier({ attempt, classifier, by }: Result): void {
    const first = this.#classifiers.get(attempt)
    if (!first) this.#classifiers.set(attempt, { classifier, by })
    else if (Buffer.compare(first.classifier, classifier) !== 0) {
      throw new RowmillError(
        'CLASSIFIER_MIXED',
        `job ${this.#job}: workers ${first.by} and ${by} run different classifiers, or different ` +
          'Python or pandas versions. Restart them with the same ones.',
        { job: this.#job },
      )
    }
  }

  #checkColumns(columns: readonly string[], rows: string): void {
    if (this.#columns === null) {
      this.#columns = columns
      this.#seen = columns.map(() => new Map())
      return
    }
    if (columns.length === this.#columns.length && columns.every((name, i) => name === this.#columns![i])) return
    // Another attempt may have a repaired classifier. Within one, the columns depend on the rows of the batch.
    const code = this.#classifiers.size > 1 ? 'KIND_DRIFT' : 'BATCH_DEPENDENT'
    throw new RowmillError(
      code,
      `job ${this.#job}: the classifier returned the columns ${list(columns)} for ${rows}, and ${list(this.#columns)} before. ` +
        'It must return the same columns for every batch (pd.get_dummies: give it a pd.Categorical with fixed categories).',
      { job: this.#job },
    )
  }

  #meet(column: number, kind: Kind, rows: string): void {
    const seen = this.#seen[column]!
    const name = this.#columns![column]!
    const rowsOf = new Map(seen).set(kind, rows)
    const kinds = [...rowsOf.keys()]
    const conflict = this.#cast.has(name) ? null : conflictOf(kinds, this.#rewrites ? this.#rules : null)
    if (conflict) {
      const [a, b] = conflict
      const ofSink = !this.#rewrites && conflictOf(kinds, this.#rules) === null
      const again = ofSink
        ? 'Collect the job into a file: there earlier rows are written again, here they cannot be. '
        : ''
      throw new RowmillError(
        'KIND_DRIFT',
        `job ${this.#job}: column ${name} is ${a} in ${rowsOf.get(a)} and ${b} in ${rowsOf.get(b)}. For the whole file, pandas ` +
          `would have written one kind. ${again}${cure(name, a, b)}`,
        { job: this.#job, column: name, ...(ofSink && { ofSink }) },
      )
    }
    seen.set(kind, rows)
  }
}

const NUMBERS: ReadonlySet<Kind> = new Set(['integer', 'float', 'whole', 'empty'])

function cure(column: string, a: Kind, b: Kind): string {
  if (NUMBERS.has(plain(a)) && NUMBERS.has(plain(b))) {
    return `--cast '${column}=float64' is what pandas makes of a column of numbers. =Int64 keeps integers.`
  }
  if (a.startsWith('datetime64') && b.startsWith('datetime64'))
    return 'pandas leaves out time fields that are zero in all rows. Set a date_format in --to-csv, and in the original job.'
  return 'The classifier must return one type for every row of the column.'
}

function list(columns: readonly string[]): string {
  return columns.map(name => JSON.stringify(name)).join(', ')
}
