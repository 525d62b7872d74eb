import { type Job, type Kind, optionOf, type Result, type Values } from '../model.ts'
import { type Exactness, neededBy, parseDate, writeDate, writtenAs } from './date-text.ts'
import { floatText } from './float-text.ts'
import { jsonOptionOf } from './job.ts'

/** pandas' to_csv writes so many cells at a time, without the index (pandas.io.formats.csvs). */
const CHUNK_CELLS = 100_000

const INTEGERS: ReadonlySet<Kind> = new Set(['integer', 'negative'])
const FLOATS: ReadonlySet<Kind> = new Set(['float', 'whole', 'empty'])
const DATES =
  /^(?:category\[)?((?:datetime64|timedelta64)\[[^\]]+\])( (?:day|second|millisecond|microsecond|nanosecond))?\]?$/

/** What must change in cells that were written batch by batch. It is plain JSON. */
export interface CellChanges {
  /** The columns that are float in the whole file: their integers are written as floats. */
  readonly floats: readonly number[]
  /** Columns of dates or time spans, and for each chunk of rows, how exactly pandas writes it. */
  readonly dates: readonly (readonly [column: number, exactness: readonly Exactness[]])[]
}

/** The rows so far, as plain JSON. */
export interface ColumnsSeen {
  readonly rows: number
  /** For each column of dates, by chunk: how exactly the values must be written, and a bit for each way they were. */
  readonly dates: readonly (readonly [column: number, needed: readonly Exactness[], written: readonly number[]])[]
}

/** What to_csv was told about numbers and dates. */
export class CellRules {
  readonly #decimal: string
  readonly #digits: number | null
  readonly #missing: string
  readonly #chunkRows: number | null
  readonly #indexLevels: number
  readonly #writesFloats: boolean

  constructor(job: Pick<Job, 'options'>) {
    const toCsv = jsonOptionOf(job, 'toCsv', '{}')
    const { index = true, decimal = '.', float_format: format = null, na_rep: missing = '', chunksize = null } = toCsv
    const { index: learned } = jsonOptionOf(job, 'recipe', '{}')
    const levels = learned?.multi ? learned.names.length : 1
    this.#indexLevels = index === false ? 0 : levels
    this.#decimal = decimal
    this.#missing = missing
    this.#chunkRows = chunksize
    const fixed = /^%\.(\d{1,3})f$/.exec(format ?? '')
    this.#digits = fixed ? Number(fixed[1]) : null
    // A function as float_format is in the write call alone.
    const isHidden = /float_format|\*\*|^[^(]*$/.test(optionOf(job.options, 'writeCall') ?? '()')
    this.#writesFloats = format === null ? !isHidden : fixed !== null
  }

  /** The rows of a chunk of the original job. */
  chunkRows({ length }: readonly string[]): number {
    return this.#chunkRows ?? Math.max(1, Math.floor(CHUNK_CELLS / Math.max(1, length - this.#indexLevels)))
  }

  /** Whether a column of these kinds is float in the whole file, and its integers can be written so. */
  areFloats(kinds: readonly Kind[]): boolean {
    const isMixed = kinds.some(kind => INTEGERS.has(kind)) && kinds.some(kind => FLOATS.has(kind))
    return isMixed && this.#writesFloats && kinds.every(kind => INTEGERS.has(kind) || FLOATS.has(kind))
  }

  /** Whether a column of these kinds holds dates, or time spans, that can be written as exactly as the whole file needs. */
  areDates(kinds: readonly Kind[]): boolean {
    const types = new Set(kinds.filter(kind => kind !== 'empty' && kind !== 'missing').map(typeOfDates))
    return types.size === 1 && !types.has(null) && parseDate(this.#missing) === null
  }

  isMissing(cell: string): boolean {
    return cell === this.#missing
  }

  /** The text of an integer cell in a column of floats. */
  floatOf(cell: string): string {
    const [mark, digits] = cell.startsWith('\0') ? ['\0', cell.slice(1)] : ['', cell]
    const value = Number(digits)
    if (this.#digits === null && this.#decimal === '.') return mark + floatText(value)
    // pandas formats these floats itself, so csv.writer gets texts.
    if (this.#digits === null) return floatText(value).replace('.', this.#decimal)
    const zeros = '0'.repeat(this.#digits)
    return `${BigInt(value)}${zeros === '' ? '' : `${this.#decimal}${zeros}`}`
  }
}

/** Whether to_csv writes a column of this kind as exactly as one of its values needs. */
function isByChunk(kind: Kind): boolean {
  return DATES.exec(kind)?.[2] !== undefined
}

/** The dtype of dates or time spans without its unit, and whether it is written by the chunk. Null: it is no such dtype. */
function typeOfDates(kind: Kind): string | null {
  const dtype = DATES.exec(kind)?.[1]?.replace(/\[(?:s|ms|us|ns)\b/, '[')
  return dtype === undefined ? null : `${dtype} ${isByChunk(kind)}`
}

interface DatesOfColumn {
  readonly needed: Exactness[]
  readonly written: number[]
}

/** Looks at the rows of an output in order, for what pandas would have written otherwise over the whole file. */
export class WholeColumns {
  readonly #rules: CellRules
  readonly #dates = new Map<number, DatesOfColumn>()
  #rows = 0

  /** `before` is an earlier `seen`. */
  constructor(rules: CellRules, before: ColumnsSeen | null = null) {
    this.#rules = rules
    if (before === null) return
    this.#rows = before.rows
    for (const [column, needed, written] of before.dates)
      this.#dates.set(column, { needed: [...needed], written: [...written] })
  }

  get seen(): ColumnsSeen {
    const dates = [...this.#dates].map(([column, { needed, written }]) => [column, needed, written] as const)
    return { rows: this.#rows, dates }
  }

  /** Whether `add` looks at the cells of this result. Otherwise `pass` does as well. */
  reads({ kinds }: Pick<Result, 'kinds'>): boolean {
    return kinds.some(isByChunk)
  }

  /** Counts the next rows of the output. */
  pass(rows: number): void {
    this.#rows += rows
  }

  /** Notes the next rows of the output. They are of this result. */
  add(rows: readonly Values[], { columns, kinds }: Pick<Result, 'columns' | 'kinds'>): void {
    const chunkRows = this.#rules.chunkRows(columns)
    for (const [column, kind] of kinds.entries()) {
      if (!isByChunk(kind)) continue
      const dates = this.#dates.get(column) ?? { needed: [], written: [] }
      this.#dates.set(column, dates)
      for (const [i, row] of rows.entries())
        this.#addDate(dates, row[column]!, Math.floor((this.#rows + i) / chunkRows))
    }
    this.pass(rows.length)
  }

  #addDate({ needed, written }: DatesOfColumn, cell: string, chunk: number): void {
    const date = this.#rules.isMissing(cell) ? null : parseDate(cell)
    for (let i = needed.length; i <= chunk; i++) {
      needed.push(0)
      written.push(0)
    }
    if (date === null) return
    needed[chunk] = Math.max(needed[chunk]!, neededBy(date)) as Exactness
    written[chunk]! |= 1 << writtenAs(date)
  }

  /** What must change, once all rows were added. `kinds` are those of each column. Null: nothing. */
  changes(kinds: readonly (readonly Kind[])[]): CellChanges | null {
    const floats = kinds.flatMap((ofColumn, column) => (this.#rules.areFloats(ofColumn) ? [column] : []))
    const dates = [...this.#dates].flatMap(([column, { needed, written }]) => {
      const isRight = written.every((ways, chunk) => ways === 0 || ways === 1 << needed[chunk]!)
      return isRight || !this.#rules.areDates(kinds[column] ?? []) ? [] : [[column, needed] as const]
    })
    return floats.length + dates.length === 0 ? null : { floats, dates }
  }
}

/** Changes cells that were written batch by batch into those of the whole file. It gets all rows of the output, in order. */
export class ChangedCells {
  readonly #rules: CellRules
  readonly #changes: CellChanges
  #rows: number

  /** `rows` is how many rows of the output came before. */
  constructor(rules: CellRules, changes: CellChanges, rows = 0) {
    this.#rules = rules
    this.#changes = changes
    this.#rows = rows
  }

  /** How many rows of the output it has had. */
  get rows(): number {
    return this.#rows
  }

  /** The next rows of the output, with their cells as in the whole file. They are of this result. */
  of(rows: readonly Values[], { columns, kinds }: Pick<Result, 'columns' | 'kinds'>): readonly Values[] {
    const chunkRows = this.#rules.chunkRows(columns)
    const floats = this.#changes.floats.filter(column => INTEGERS.has(kinds[column]!))
    const first = this.#rows
    this.#rows += rows.length
    return rows.map((row, i) => {
      const cells = [...row]
      for (const column of floats) cells[column] = this.#rules.floatOf(cells[column]!)
      for (const [column, exactness] of this.#changes.dates) {
        const date = this.#rules.isMissing(cells[column]!) ? null : parseDate(cells[column]!)
        if (date) cells[column] = writeDate(date, exactness[Math.floor((first + i) / chunkRows)]!)
      }
      return cells
    })
  }
}

/** What the user is told before the output is written again. */
export function describeChanges({ changes, columns }: { changes: CellChanges; columns: readonly string[] }): string {
  const floats = changes.floats.map(column => `${columns[column]} as floats`)
  const dates = changes.dates.map(([column]) => `${columns[column]} with the times that its other rows have`)
  const what = [...floats, ...dates].join(', ')
  return `pandas writes these columns by all their values: ${what}. So OUT is written again from the results, and nothing is classified again`
}
