import { RowmillError } from '../errors.ts'
import { type InputEncoding, NO_ENCODING, textEncoding } from './encodings.ts'
import { DEFAULT_INDEX_RULES, DEFAULT_NA_WORDS, type IndexRules } from './index-kind.ts'

/** How one file writes cells and records: the keyword arguments of read_csv that act on characters. */
export interface CsvDialect {
  /** One UTF-16 unit, neither a line end nor the quote. */
  readonly separator: string
  /** The quote. Null: quotes have no meaning (csv.QUOTE_NONE). */
  readonly quote: string | null
  /** Whether two quotes inside a quoted cell stand for one. */
  readonly doubleQuote: boolean
  readonly escapeChar: string | null
  readonly skipInitialSpace: boolean
}

/** The keyword arguments of the original job's read_csv, checked and divided. */
export interface ReadCsvPlan {
  readonly dialect: CsvDialect
  /** The quote that pandas removes from a first cell after a byte order mark, even if quoting is off. */
  readonly bomQuote: string
  /** utf-8-sig: the decoder removes one byte order mark before pandas looks for another. */
  readonly signature: boolean
  /** How many lines to skip before the first record. */
  readonly skipLines: number
  readonly compression: 'infer' | 'gzip' | 'bz2' | 'zip' | 'zstd' | null
  /** Null: UTF-8. */
  readonly encoding: InputEncoding | null
  /** The header for a file without one. */
  readonly names: readonly string[] | null
  /** The column of the index, by number or name. Null: rows are numbered. */
  readonly indexCol: number | string | null
  readonly usecols: readonly (number | string)[] | null
  /** The columns that a dtype dict names. Null: one dtype for all. */
  readonly dtypeNames: ReadonlySet<string> | null
  /** The arguments that the host applies to each batch. */
  readonly handedOn: Readonly<Record<string, unknown>>
}

type ReadCsvArguments = Readonly<Record<string, unknown>>

/** The arguments of the original job, unless it says otherwise. The Python host has the same (host_frame.py). */
export const READ_CSV_DEFAULTS: ReadCsvArguments = { engine: 'python', index_col: 0, dtype: 'str' }

/** Arguments that the host applies to each batch: they act on single cells, or name columns. */
// biome-ignore format: a list of words
const HANDED_ON = [
  'engine', 'index_col', 'usecols', 'dtype', 'true_values', 'false_values', 'na_values', 'keep_default_na',
  'na_filter',
]

// biome-ignore format: a list of words
const CONSUMED = [
  'sep', 'delimiter', 'header', 'names', 'skipinitialspace', 'skiprows', 'compression', 'quotechar', 'quoting',
  'doublequote', 'escapechar', 'encoding',
]

/** Arguments that do nothing to text columns. */
const WITHOUT_EFFECT = ['date_format', 'dayfirst', 'cache_dates']

const COMPRESSIONS = ['infer', 'gzip', 'bz2', 'zip', 'zstd', null] as const
const WHOLE_FILE = 'it acts on the whole file, and a batch is a part of it'
const NO_EFFECT = 'it does nothing to text columns: leave it out'

interface FixedArgument {
  readonly accepted: readonly unknown[]
  readonly reason: string
}

/** Arguments that may only have these values, which are pandas' defaults, and the reason. */
const REFUSED: Readonly<Record<string, FixedArgument>> = {
  nrows: { accepted: [null], reason: WHOLE_FILE },
  skipfooter: { accepted: [0], reason: WHOLE_FILE },
  chunksize: { accepted: [null], reason: 'rowmill cuts the batches: --batch-rows' },
  iterator: { accepted: [false], reason: 'rowmill cuts the batches: --batch-rows' },
  parse_dates: { accepted: [null, false], reason: `${WHOLE_FILE}: convert dates in the classifier` },
  converters: { accepted: [null], reason: 'it holds functions: convert in the classifier' },
  comment: { accepted: [null], reason: 'pandas cuts comments out of parsed rows, quoted cells included' },
  skip_blank_lines: { accepted: [true], reason: 'a blank line would be a row without any cell' },
  on_bad_lines: { accepted: ['error'], reason: 'rows would be lost without a trace' },
  encoding_errors: { accepted: ['strict'], reason: 'bytes would be lost without a trace' },
  lineterminator: { accepted: [null], reason: "pandas' python engine refuses it" },
  low_memory: { accepted: [true], reason: "pandas' python engine refuses it" },
  float_precision: { accepted: [null], reason: "pandas' python engine refuses it" },
  dialect: { accepted: [null], reason: 'give its parts: sep, quotechar, doublequote, escapechar, ...' },
  thousands: { accepted: [null], reason: NO_EFFECT },
  decimal: { accepted: ['.'], reason: NO_EFFECT },
  memory_map: { accepted: [false], reason: 'it changes no value, and rowmill reads the file: leave it out' },
  storage_options: { accepted: [null], reason: 'the input is a local file' },
  dtype_backend: { accepted: [], reason: 'it makes the dtype of the index depend on the whole column' },
}

/** Every keyword argument of pandas.read_csv (3.1.1), for docs/csv.md. */
export const READ_CSV_ARGUMENTS: readonly string[] = [
  ...CONSUMED,
  ...HANDED_ON,
  ...WITHOUT_EFFECT,
  ...Object.keys(REFUSED),
]

/**
 * Divides the keyword arguments of read_csv into those that the source uses and those that the host applies to each
 * batch. `delimiter` is --delimiter. Throws USAGE naming argument, value and reason. csv-columns.ts checks the rest.
 */
export function checkReadCsv(readCsv: ReadCsvArguments, delimiter: string | null): ReadCsvPlan {
  const given: ReadCsvArguments = { ...READ_CSV_DEFAULTS, ...readCsv }
  for (const [name, value] of Object.entries(given)) {
    if (!READ_CSV_ARGUMENTS.includes(name)) throw refused(name, value, 'pandas.read_csv has no such argument')
    const refusal = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined
    if (refusal && !refusal.accepted.includes(value)) throw refused(name, value, refusal.reason)
  }
  if (given.engine !== 'python') {
    throw refused('engine', given.engine, "only 'python' is supported: the other engines read files differently")
  }
  const handedOn: Record<string, unknown> = {}
  for (const name of HANDED_ON) if (given[name] !== undefined) handedOn[name] = given[name]
  const names = checkNames(given)
  const usecols = checkUsecols(given.usecols ?? null)
  if (names && usecols)
    throw refused('usecols', usecols, 'together with names pandas counts the columns of the first row')
  indexRules(given, null)
  const encoding = textEncoding(given.encoding ?? 'utf-8')
  if (encoding === null) throw refused('encoding', given.encoding, NO_ENCODING)
  return {
    dialect: checkDialect(given, delimiter),
    bomQuote: character(given, 'quotechar', '"'),
    ...encoding,
    skipLines: checkSkiprows(given.skiprows ?? null),
    compression: oneOf(given, 'compression', COMPRESSIONS, 'only gzip, bz2, zip and zstd are read'),
    names,
    indexCol: checkIndexCol(given.index_col),
    usecols,
    dtypeNames: checkDtype(given.dtype),
    handedOn,
  }
}

/** The error for an argument that cannot be used. */
export function refused(name: string, value: unknown, reason: string): RowmillError {
  return new RowmillError('USAGE', `--read-csv: ${name}=${JSON.stringify(value)} cannot be used: ${reason}.`, {
    argument: name,
    value: JSON.stringify(value) ?? null,
  })
}

function oneOf<T>(given: ReadCsvArguments, name: string, values: readonly [T, ...T[]], reason: string): T {
  const value = given[name]
  if (value === undefined) return values[0]
  const found = values.find(each => each === value)
  if (found === undefined) throw refused(name, value, reason)
  return found
}

function character(given: ReadCsvArguments, name: string, fallback: string): string {
  const value = given[name] ?? fallback
  if (typeof value === 'string' && value.length === 1 && value !== '\n' && value !== '\r') return value
  throw refused(name, value, 'give one character below U+10000 that is not a line end')
}

function checkDialect(given: ReadCsvArguments, delimiter: string | null): CsvDialect {
  const separators = [delimiter, given.delimiter, given.sep].filter(each => each !== undefined && each !== null)
  if (separators.length > 1) throw refused('sep', separators[1], 'give only one of --delimiter, sep and delimiter')
  if (given.sep === null) throw refused('sep', null, 'pandas would guess the separator: name it')
  const separator = separators[0] ?? ','
  if (typeof separator === 'string' && separator.length > 1) {
    throw refused('sep', separator, 'pandas reads more than one character as a regular expression')
  }
  character({ sep: separator }, 'sep', ',')
  const quoting = oneOf(given, 'quoting', [0, 1, 3], 'it must be 0, 1 or 3: other modes turn cells into numbers')
  const quote = character(given, 'quotechar', '"')
  const escapeChar = (given.escapechar ?? null) === null ? null : character(given, 'escapechar', '\\')
  if (separator === quote) throw refused('sep', separator, 'it is the quote too')
  if (escapeChar === separator || escapeChar === quote) {
    throw refused('escapechar', escapeChar, 'it is the separator or the quote too')
  }
  const skipInitialSpace = flag(given, 'skipinitialspace', false)
  if (skipInitialSpace && [separator, quote, escapeChar].includes(' ')) {
    throw refused('skipinitialspace', true, 'a space has another meaning already')
  }
  return {
    separator: separator as string,
    quote: quoting === 3 ? null : quote,
    doubleQuote: flag(given, 'doublequote', true),
    escapeChar,
    skipInitialSpace,
  }
}

function flag(given: ReadCsvArguments, name: string, fallback: boolean): boolean {
  return oneOf(given, name, [fallback, !fallback], 'it must be true or false')
}

function checkSkiprows(skiprows: unknown): number {
  if (skiprows === null) return 0
  if (isCount(skiprows)) return skiprows
  if (Array.isArray(skiprows)) {
    const sorted = [...new Set(skiprows)].sort((a, b) => a - b)
    if (sorted.every((line, index) => line === index)) return sorted.length
  }
  throw refused('skiprows', skiprows, 'only lines at the head of the file can be left out: give their number')
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function checkNames(given: ReadCsvArguments): readonly string[] | null {
  const names = given.names ?? null
  const header = given.header === undefined ? 'infer' : given.header
  if (names === null) {
    if (header === 'infer' || header === 0) return null
    if (header === null) throw refused('header', header, 'columns named by numbers are not supported: give names')
    throw refused('header', header, "it must be 0 or 'infer': leave lines out with skiprows")
  }
  if (header !== 'infer' && header !== null) {
    throw refused('header', header, 'together with names the file must have no header; leave it out with skiprows')
  }
  if (!isTexts(names) || names.length === 0 || names.includes('') || new Set(names).size < names.length) {
    throw refused('names', names, 'give a list of different texts, none empty')
  }
  return names
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string')
}

function checkUsecols(usecols: unknown): readonly (number | string)[] | null {
  if (usecols === null) return null
  if (Array.isArray(usecols) && usecols.length > 0) {
    if (isTexts(usecols) || (usecols as unknown[]).every(isCount)) return usecols
  }
  throw refused('usecols', usecols, 'give a list of column names or a list of column numbers from 0')
}

function checkIndexCol(indexCol: unknown): number | string | null {
  if (indexCol === null || indexCol === false) return null
  const single: unknown = Array.isArray(indexCol) && indexCol.length === 1 ? indexCol[0] : indexCol
  if (typeof single === 'string' || isCount(single)) return single
  throw refused('index_col', indexCol, 'give one column by number from 0 or by name, or null')
}

const TEXT_DTYPES = ['str', 'string', 'object']

function checkDtype(dtype: unknown): ReadonlySet<string> | null {
  const inference = `it must be ${TEXT_DTYPES.join(', ')}, since pandas infers numbers over the whole column: convert in the classifier`
  if (typeof dtype === 'string' && TEXT_DTYPES.includes(dtype)) return null
  if (typeof dtype !== 'object' || dtype === null || Array.isArray(dtype)) throw refused('dtype', dtype, inference)
  for (const [column, value] of Object.entries(dtype)) {
    if (!TEXT_DTYPES.includes(value)) throw refused(`dtype of ${column}`, value, inference)
  }
  return new Set(Object.keys(dtype))
}

/** Texts that Python's float() or int() may accept. */
const NUMBER_LIKE = /^\s*[+-]?(?:[\p{Nd}_.]*\p{Nd}[\p{Nd}_.]*(?:e[+-]?[\p{Nd}_]*)?|inf|infinity)\s*$/iu
const PLAIN_NUMBER = /^-?\d{1,15}(?:\.\d{1,15})?$/

/** The words that pandas reads as missing and as booleans in an index with this name. Null: it has no name. */
export function indexRules(given: ReadCsvArguments, index: string | null): IndexRules {
  const booleanWords = [given.true_values ?? [], given.false_values ?? []].flatMap((words, at) => {
    const usable = isTexts(words) && !words.some(word => NUMBER_LIKE.test(word))
    if (!usable) throw refused(at ? 'false_values' : 'true_values', words, 'give a list of texts that are no numbers')
    return words
  })
  const naValues = given.na_values ?? null
  const keep = flag(given, 'keep_default_na', true)
  const filter = flag(given, 'na_filter', true)
  const none = { naWords: new Set<string>(), naNumbers: new Set<number>(), booleanWords }
  if (naValues === null) return filter && keep ? { ...DEFAULT_INDEX_RULES, booleanWords } : none
  if (typeof naValues !== 'object' || Array.isArray(naValues)) {
    const rules = naRules(naValues, keep)
    return filter ? { ...rules, booleanWords } : none
  }
  if (!filter) throw refused('na_filter', false, 'pandas obeys it only in part where na_values is a dict')
  const columns = Object.entries(naValues).map(([name, values]) => [name, naRules(values, keep)] as const)
  const own = columns.find(([name]) => name === index)?.[1]
  if (own) return { ...own, booleanWords }
  return keep && index !== null ? { ...DEFAULT_INDEX_RULES, booleanWords } : none
}

/** As pandas.io.parsers.readers._clean_na_values: a number counts as missing as text, as integer and as float. */
function naRules(values: unknown, keep: boolean): Omit<IndexRules, 'booleanWords'> {
  const naWords = new Set<string>(keep ? DEFAULT_NA_WORDS : [])
  const naNumbers = new Set<number>()
  for (const value of Array.isArray(values) ? values : [values]) {
    const text = String(value)
    if (typeof value !== 'string' && typeof value !== 'number')
      throw refused('na_values', value, 'give texts or numbers')
    naWords.add(text)
    if (typeof value === 'string' && !NUMBER_LIKE.test(value)) continue
    if (!PLAIN_NUMBER.test(text)) throw refused('na_values', value, 'write numbers plainly, as -12.5')
    const number = Number(text)
    naNumbers.add(number)
    if (Number.isInteger(number)) naWords.add(String(number)).add(`${number}.0`)
  }
  return { naWords, naNumbers }
}
