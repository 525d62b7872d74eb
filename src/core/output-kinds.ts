import { RowmillError } from '../errors.ts'
import type { Job, Kind, Result } from '../model.ts'
import { jsonOptionOf } from './job.ts'
import { rowCount } from './result-slice.ts'
import type { CellRules } from './whole-columns.ts'

/** Kinds whose values pandas writes one by one. Any other kind is a dtype, which pandas writes as a whole column. */
const BY_VALUE: ReadonlySet<Kind> = new Set([
  ...['empty', 'missing', 'integer', 'negative', 'unsigned', 'float', 'whole', 'boolean', 'text', 'mixed'],
  ...['mixed float', 'dropped float'],
])

/**
 * Pairs of kinds in one column that the original job, in one process, would have written differently. With the whole
 * column, pandas turns integers beside floats or missing values into floats: 1 becomes 1.0. In an object column it keeps
 * integers that it would turn into floats in a batch of numbers alone.
 */
const DRIFTING: ReadonlySet<string> = new Set(
  [
    ...['integer', 'negative', 'unsigned'].flatMap(kind =>
      ['float', 'whole', 'empty', 'missing', 'mixed float', 'dropped float'].map(other => [kind, other] as const),
    ),
    ...['text', 'mixed', 'mixed float', 'boolean', 'missing'].map(other => ['whole', other] as const),
    ['unsigned', 'negative'] as const,
  ].flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]),
)

/** The kind of a column of floats whose rows were all dropped. They may have been missing values beside integers. */
export const DROPPED: Kind = 'dropped float'

/** Two kinds whose columns pandas would have written otherwise over the whole file, in a way that the cells do not tell. */
export function conflictOf(kinds: readonly Kind[], rules: CellRules | null): readonly [Kind, Kind] | null {
  if (rules?.areFloats(kinds) || rules?.areDates(kinds)) return null
  const latest = kinds.toReversed()
  for (const [i, a] of latest.entries()) {
    const b = latest.slice(i + 1).find(other => drift(a, other))
    if (b !== undefined) return [a, b]
  }
  return null
}

/** Numbers of an object column drift as those of a column of numbers do, and all of Int64 alike. */
function plain(kind: Kind): Kind {
  return kind.replace(/^object (?=integer|float)/, '').replace(/^Int64 (long|missing)$/, 'Int64')
}

function isEmpty(kind: Kind): boolean {
  return kind === 'empty' || kind === 'missing'
}

/** Whether two kinds in one column say that pandas would have written it otherwise over the whole file. */
export function drift(first: Kind, second: Kind): boolean {
  const [a, b] = [plain(first), plain(second)]
  if (a === b) return false
  if (BY_VALUE.has(a) && BY_VALUE.has(b)) return DRIFTING.has(`${a} ${b}`)
  const other = isEmpty(a) ? b : a
  if (!isEmpty(a) && !isEmpty(b)) return true
  // Beside missing values, intervals and categories of integers become those of floats. Dates and the like do not change.
  return other.startsWith('interval') || /^missing category\[u?int/.test(`${isEmpty(a) ? a : b} ${other}`)
}

/**
 * Those of the kinds of a column that decide how it is written. Of a column with a cast there are none, because its dtype is
 * what the user says. But pandas writes dates by the chunk, whoever says that they are dates.
 */
export function decidingKinds(
  kinds: readonly Kind[],
  { isCast, rules }: { isCast: boolean; rules: CellRules | null },
): readonly Kind[] {
  return isCast && !rules?.areDates(kinds) ? [] : kinds
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
  /** Columns that were floats where all rows were dropped, and the first such rows. */
  readonly dropped?: readonly (readonly [column: string, rows: string])[]
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
  readonly #dropped: Map<string, string>
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
    this.#dropped = new Map(before?.dropped)
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
    const withoutRows = without ? { columnsWithoutRows: without, dropped: [...this.#dropped] } : {}
    return { classifiers, columns: this.#columns, ...withoutRows, kinds }
  }

  /** The kinds so far that decide how each column is written. */
  get kinds(): readonly (readonly Kind[])[] {
    return this.#seen.map((seen, column) =>
      decidingKinds([...seen.keys()], { isCast: this.#cast.has(this.#columns![column]!), rules: this.#rules }),
    )
  }

  /** `rows` describes the rows of the result, for a message. Throws KIND_DRIFT, BATCH_DEPENDENT or CLASSIFIER_MIXED. */
  check(result: Result, rows: string): void {
    if (result.count === result.rejected.length && result.count > 0) return
    this.#checkClassifier(result)
    if (rowCount(result) === 0 && result.count > 0) {
      // All were dropped: a function may leave an empty DataFrame as it is, and its columns hold no value.
      this.#columnsWithoutRows ??= result.columns
      for (const [at, name] of result.columns.entries())
        if (result.kinds[at] === DROPPED && !this.#dropped.has(name)) this.#dropped.set(name, rows)
      return
    }
    this.#checkColumns(result.columns, rows)
    result.kinds.forEach((kind, column) => {
      if (!this.#seen[column]!.has(kind)) this.#meet(column, kind, rows)
    })
  }

  /** After the last result. Throws KIND_DRIFT if dropped rows may have made floats of integers that others kept. */
  finish(): void {
    for (const [column, name] of (this.#columns ?? []).entries()) {
      const [seen, rows] = [this.#seen[column]!, this.#dropped.get(name)]
      const areIntegers = seen.size > 0 && [...seen.keys()].every(kind => drift(kind, DROPPED))
      if (rows && areIntegers && !this.#cast.has(name))
        throw this.#drifted(name, [...seen.entries()][0]!, [DROPPED, rows])
    }
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
      throw this.#drifted(name, [a, rowsOf.get(a)!], [b, rowsOf.get(b)!], ofSink)
    }
    seen.set(kind, rows)
  }

  /** `ofSink`: only because the sink cannot take rows back. */
  #drifted(column: string, [a, rowsOfA]: [Kind, string], [b, rowsOfB]: [Kind, string], ofSink = false): RowmillError {
    const again = ofSink
      ? 'Collect the job into a file: there earlier rows are written again, here they cannot be. '
      : ''
    const message =
      `job ${this.#job}: column ${column} is ${a} in ${rowsOfA} and ${b} in ${rowsOfB}. For the whole file, pandas ` +
      `would have written one kind. ${again}${cure(column, a, b)}`
    return new RowmillError('KIND_DRIFT', message, { job: this.#job, column, ...(ofSink && { ofSink }) })
  }
}

const NUMBERS: ReadonlySet<Kind> = new Set([
  'integer',
  'negative',
  'float',
  'whole',
  'empty',
  'missing',
  'dropped float',
])

function cure(column: string, a: Kind, b: Kind): string {
  if (a === 'unsigned' || b === 'unsigned')
    return 'Of integers beyond 64 bits with a sign, pandas may make floats, objects or text. Return text, here and in the original job.'
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
