import { RowmillError } from '../errors.ts'

/**
 * The kind that pandas infers for the index over a whole column, and the numpy dtype that gives every part of the
 * column the same values (pandas 3.1.1, ParserBase._agg_index and _infer_types):
 *
 * | kind     | the column                                                       | dtype to force |
 * |----------|------------------------------------------------------------------|----------------|
 * | integer  | whole numbers that fit int64, none missing                       | int64          |
 * | range    | the same in equal steps, two or more: pandas makes a RangeIndex  | int64          |
 * | unsigned | whole numbers that fit uint64, one above int64                   | uint64         |
 * | float    | numbers, one of them a fraction or missing                       | float64        |
 * | empty    | nothing but missing values                                       | float64        |
 * | boolean  | only words for true and false, none missing                      | bool           |
 * | text     | anything else; missing values stay missing                       | str            |
 */
export const INDEX_KINDS = ['integer', 'range', 'unsigned', 'float', 'empty', 'boolean', 'text'] as const

export type IndexKind = (typeof INDEX_KINDS)[number]

/** The words that pandas reads as a missing value (pandas._libs.parsers.STR_NA_VALUES). */
// biome-ignore format: a list of words
export const DEFAULT_NA_WORDS: readonly string[] = [
  '', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN', '-nan', '1.#IND', '1.#QNAN', '<NA>', 'N/A', 'NA',
  'NULL', 'NaN', 'None', 'n/a', 'nan', 'null',
]

export interface IndexRules {
  /** Cells that are missing values. */
  readonly naWords: ReadonlySet<string>
  /** Numbers that are missing values, however they are written. */
  readonly naNumbers: ReadonlySet<number>
  /** Words for true and false, in addition to pandas' own. */
  readonly booleanWords: readonly string[]
}

export const DEFAULT_INDEX_RULES: IndexRules = {
  naWords: new Set(DEFAULT_NA_WORDS),
  naNumbers: new Set(),
  booleanWords: [],
}

const SHORT_INTEGER = /^-?[0-9]{1,15}$/
const INTEGER = /^[\t-\r ]*([+-]?)([0-9]+)[\t-\r ]*$/
const FLOAT = /^[\t-\r ]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[\t-\r ]*$/
const INFINITE = /^[+-]?inf(?:inity)?$/i

const PLAIN_INTEGER = /^(?:0|-?[1-9][0-9]*)$/
/** Floats that Python and JavaScript write alike, except for the `.0` of whole numbers, which only Python writes. */
const PLAIN_FLOAT = /^-?[0-9]+\.[0-9]+$/

function isPlainFloat(cell: string): boolean {
  if (cell === 'inf' || cell === '-inf') return true
  const value = Number(cell)
  const size = Math.abs(value)
  if (!PLAIN_FLOAT.test(cell) || size >= 1e16 || (size !== 0 && size < 1e-4)) return false
  return cell === (Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value))
}

/** Up to here a float64 holds every whole number. */
const EXACT = 2n ** 53n
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const UINT64_MAX = 2n ** 64n - 1n
/** How many digits Python's int() accepts (sys.get_int_max_str_digits()). */
const INTEGER_DIGITS = 4300

/** Where something was seen first, by line. */
type FirstLine = number | null

/** Takes the index cells of a file one by one, and tells which kind pandas would infer for all of them. */
export class IndexKindInference {
  readonly #rules: IndexRules
  readonly #readAsText: boolean
  readonly #booleanWords: ReadonlySet<string>
  readonly #plainIntegers: boolean
  #count = 0
  #numeric = true
  #boolean = true
  #missing: FirstLine = null
  #float: FirstLine = null
  #negative: FirstLine = null
  #integer: FirstLine = null
  #unsigned: FirstLine = null
  #huge: FirstLine = null
  #minusZero: FirstLine = null
  #inexact: FirstLine = null
  /** Cells that pandas would write in another way than they were read. */
  #rewrittenInteger: FirstLine = null
  #rewrittenFloat: FirstLine = null
  #rewrittenBoolean: FirstLine = null
  readonly #steps = new IndexSteps()

  /** `readAsText`: whether pandas first reads the column as text, except missing values, and then infers the index. */
  constructor(rules: IndexRules, readAsText = true) {
    this.#rules = rules
    this.#readAsText = readAsText
    this.#booleanWords = new Set(['True', 'TRUE', 'true', 'False', 'FALSE', 'false', ...rules.booleanWords])
    this.#plainIntegers = rules.naNumbers.size === 0
  }

  /** Adds the next cell, which is in `line`. Undefined: the row is too short to have one. */
  add(cell: string | undefined, line: number): void {
    this.#count++
    if (!this.#numeric && !this.#boolean) return
    if (cell === undefined || this.#rules.naWords.has(cell)) {
      this.#missing ??= line
      return
    }
    if (this.#boolean) this.#boolean = this.#booleanWords.has(cell)
    if (this.#boolean && cell !== 'True' && cell !== 'False') this.#rewrittenBoolean ??= line
    if (this.#numeric) this.#numeric = this.#addNumber(cell, line)
  }

  #addNumber(cell: string, line: number): boolean {
    if (this.#plainIntegers && SHORT_INTEGER.test(cell)) {
      const value = Number(cell)
      this.#integer ??= line
      if (this.#rewrittenInteger === null && String(value) !== cell) this.#rewrittenInteger = line
      if (value < 0) this.#negative ??= line
      else if (Object.is(value, -0)) this.#minusZero ??= line
      this.#steps.add(value)
      return true
    }
    const integer = INTEGER.exec(cell)
    if (integer === null && !FLOAT.test(cell) && !INFINITE.test(cell)) return false
    const digits = integer?.[2]
    if (digits !== undefined && digits.length > INTEGER_DIGITS) return false
    if (this.#rules.naNumbers.size > 0 && this.#rules.naNumbers.has(Number(cell))) this.#missing ??= line
    else if (digits === undefined) {
      this.#float ??= line
      if (this.#rewrittenFloat === null && !isPlainFloat(cell)) this.#rewrittenFloat = line
    } else {
      this.#addInteger(BigInt(digits), integer?.[1] === '-', line)
      if (!PLAIN_INTEGER.test(cell)) this.#rewrittenInteger ??= line
    }
    return true
  }

  /**
   * The line of the first cell that is not written as it was read if the column has this kind: `007`, `1.50`, `TRUE`,
   * or a whole number among floats. Null: there is none.
   */
  rewrittenAt(kind: IndexKind): number | null {
    if (kind === 'boolean') return this.#rewrittenBoolean
    if (kind === 'float') return this.#integer ?? this.#rewrittenFloat
    return kind === 'text' || kind === 'empty' ? null : this.#rewrittenInteger
  }

  /** The line of the first float, or of the first number if only a missing value makes floats of whole numbers. */
  get firstFloat(): number | null {
    return this.#float ?? this.#integer
  }

  #addInteger(size: bigint, minus: boolean, line: number): void {
    const value = minus ? -size : size
    this.#integer ??= line
    if (value < INT64_MIN || value > UINT64_MAX) this.#huge ??= line
    else if (value > INT64_MAX) this.#unsigned ??= line
    else if (value < 0n) this.#negative ??= line
    else if (minus && size === 0n) this.#minusZero ??= line
    if (size > EXACT) this.#inexact ??= line
    this.#steps.addBig(value)
  }

  /**
   * The index kind so far. Throws INPUT_FIELDS if no dtype gives every part of the column the same values that
   * pandas gives the whole column. `place` names the file and the column.
   */
  kind(place: string): IndexKind {
    if (this.#count === 0) return 'text'
    if (!this.#numeric) {
      if (!this.#boolean) return 'text'
      if (this.#missing === null) return 'boolean'
      throw unforceable(place, this.#missing, 'booleans and missing values beside each other')
    }
    if (this.#unsigned !== null && (this.#negative !== null || this.#missing !== null)) {
      // pandas stops trying numbers here, and has not looked for missing values yet: words that are left are text.
      if (this.#missing === null || this.#readAsText) return 'text'
      throw unforceable(place, this.#missing, 'missing values beside whole numbers beyond int64')
    }
    if (this.#huge !== null) throw unforceable(place, this.#huge, 'a whole number that fits neither int64 nor uint64')
    if (this.#missing !== null && this.#integer === null && this.#float === null) return 'empty'
    if (this.#missing !== null || this.#float !== null) {
      if (this.#minusZero !== null)
        throw unforceable(place, this.#minusZero, 'a whole -0 beside floats or missing values')
      // pandas reads the text as a float if the same part has a float, and otherwise as an integer.
      if (this.#inexact === null) return 'float'
      throw unforceable(place, this.#inexact, 'a whole number beyond 2^53 beside floats or missing values')
    }
    if (this.#unsigned !== null) return 'unsigned'
    return this.#steps.isRange() ? 'range' : 'integer'
  }
}

function unforceable(place: string, line: number, what: string): RowmillError {
  return new RowmillError(
    'INPUT_FIELDS',
    `${place}: the index holds ${what} (line ${line}). pandas decides over the whole column what it makes of that, and ` +
      'a part of the column would come out differently. Repair the cell, or name a dtype for every column, the index too, ' +
      'in --read-csv and in the original job: {"dtype": {"ID": "str", ...}}.',
    { line },
  )
}

/** Whether the integers have equal steps. pandas then makes a RangeIndex (maybe_sequence_to_range). */
class IndexSteps {
  #equal = true
  #count = 0
  #first = 0n
  #step = 0n
  #last = 0
  #smallStep = 0

  add(value: number): void {
    if (!this.#equal) return
    if (this.#count >= 2 && value - this.#last === this.#smallStep) {
      this.#last = value
      this.#count++
      return
    }
    this.addBig(BigInt(value))
  }

  addBig(value: bigint): void {
    if (!this.#equal) return
    if (this.#count === 0) this.#first = value
    else if (this.#count === 1) this.#step = value - this.#first
    this.#equal = value === this.#first + this.#step * BigInt(this.#count)
    this.#count++
    this.#last = Number(value)
    this.#smallStep = Number(this.#step)
  }

  isRange(): boolean {
    const stop = this.#first + this.#step * BigInt(this.#count)
    const inside = (value: bigint): boolean => value >= INT64_MIN && value <= INT64_MAX
    return this.#equal && this.#step !== 0n && inside(this.#step) && inside(stop)
  }
}
