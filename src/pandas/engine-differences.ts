import type { Say } from '../support/say.ts'
import type { IndexKindInference } from './index-kind.ts'

/** How the original job read and wrote. */
export interface EngineOptions {
  /** The keyword arguments of its read_csv. */
  readonly readCsv: Readonly<Record<string, unknown>>
  /** The keyword arguments of its to_csv. */
  readonly toCsv: Readonly<Record<string, unknown>>
}

/**
 * Reports where pandas' two engines read one file differently. rowmill reads as engine='python' does, but a job without
 * `engine` has the C engine. Each difference is reported once.
 */
export class EngineDifferences {
  readonly #name: string
  readonly #options: EngineOptions
  readonly #say: Say
  readonly #said = new Set<string>()
  /** The values with which the two engines fill short rows. Null if they are the same, or the difference was reported. */
  #fill: readonly [python: string, c: string] | null

  /** `name` is the name of the input in messages. */
  constructor(name: string, options: EngineOptions, say: Say) {
    this.#name = name
    this.#options = options
    this.#say = say
    this.#fill = fillOfShortRows(options.readCsv)
  }

  /** `line`: the first record that the python engine skips as blank and the C engine keeps, or null. */
  blank(line: number | null): void {
    this.#report(
      line,
      "this line looks blank, and engine='python' skips it. Without engine=, pandas.read_csv uses the C engine, which makes a " +
        'row of it. rowmill has no option for that. In a file of several columns, a separator at its end makes a row in both',
    )
  }

  /** Call it with the header as the python engine reads it. */
  header(header: readonly string[]): void {
    // No other header consists of one empty cell: both engines skip blank lines.
    if (header.length !== 1 || header[0] !== '') return
    this.#report(
      1,
      "this line holds nothing but a byte order mark, and engine='python' takes it as the header. Without engine=, " +
        'pandas.read_csv uses the C engine, which skips the line. Remove it for the bytes of the C engine',
    )
  }

  /** `line`: a row with fewer cells than the header. It is called for each, so it is cheap. */
  short(line: number): void {
    if (this.#fill === null) return
    const [python, c] = this.#fill
    this.#fill = null
    this.#report(
      line,
      `this row is short, and engine='python' fills it with ${python}. Without engine=, pandas.read_csv uses the C engine, ` +
        `which fills it with ${c}. rowmill has no option for that: a separator for each missing cell makes both the same`,
    )
  }

  /** Call it with the inferred index, after the last row. `column` is the name of the index. */
  index(column: string, inference: IndexKindInference, kind: ReturnType<IndexKindInference['kind']>): void {
    const { dtype = 'str' } = this.#options.readCsv
    if (dtype !== 'str' && dtype !== 'string') return // with any other dtype, both engines infer the index
    const formatted = kind === 'float' && this.#formatsFloats
    this.#report(
      formatted ? inference.firstFloat : inference.rewrittenAt(kind),
      `engine='python' makes ${VALUES[kind] ?? 'numbers'} of the index${column && ` ${column}`}, so this cell is written ` +
        `in another form (${formatted ? 'to_csv formats floats' : '007 becomes 7'}). Without engine=, pandas.read_csv uses the ` +
        'C engine, which keeps the text. If the original job gave no engine, give --index-kind text',
    )
  }

  get #formatsFloats(): boolean {
    const { float_format: format = null, decimal = '.' } = this.#options.toCsv
    return format !== null || decimal !== '.'
  }

  #report(line: number | null, what: string): void {
    if (line === null || this.#said.has(what)) return
    this.#said.add(what)
    this.#say(`${this.#name}, line ${line}: ${what}. ${HIDE}`, { level: 'warn' })
  }
}

const VALUES: Readonly<Record<string, string>> = { float: 'floats', boolean: 'booleans' }
const HIDE = `If it gave engine='python', --read-csv '{"engine": "python"}' hides this line`

function fillOfShortRows(readCsv: EngineOptions['readCsv']): readonly [python: string, c: string] | null {
  const { dtype = 'str', keep_default_na: keepsNa = true, na_filter: filters = true } = readCsv
  const dtypes: readonly unknown[] = typeof dtype === 'string' ? [dtype] : Object.values(dtype as object)
  const hasObjects = dtypes.includes('object')
  if (keepsNa === false || filters === false) return [hasObjects ? 'None' : 'NaN', 'an empty text']
  return hasObjects ? ['None', 'NaN'] : null
}
