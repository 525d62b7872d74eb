/**
 * How pandas' two engines read one file differently. rowmill reads as engine='python' does. A job without `engine` used
 * the C engine, so each difference is reported once.
 */
export class EngineDifferences {
  readonly #name: string
  readonly #say: (message: string) => void
  #saidBlank = false

  constructor(name: string, say: (message: string) => void) {
    this.#name = name
    this.#say = say
  }

  /** `line`: the first record that the python engine skips as blank, and the C engine keeps. Null: none. */
  blank(line: number | null): void {
    if (line === null || this.#saidBlank) return
    this.#saidBlank = true
    this.#say(
      `${this.#name}, line ${line}: this line looks blank, and engine='python' leaves it out. Without engine=, ` +
        'pandas.read_csv uses the C engine, which makes a row of it. rowmill has no option for that: in a file of several ' +
        `columns, a separator after it makes a row in both. ${HIDE}`,
    )
  }

  /** `line`: the first index cell that is not written as it was read. Null: none. */
  index({ column, kind, line }: { column: string; kind: string; line: number | null }): void {
    if (line === null) return
    this.#say(
      `${this.#name}, line ${line}: engine='python' makes ${VALUES[kind] ?? 'numbers'} of the index${column && ` ${column}`}, ` +
        'so this cell is written in another form (007 becomes 7). Without engine=, pandas.read_csv uses the C engine, ' +
        `which keeps the text: if the original job gave no engine, give --index-kind text. ${HIDE}`,
    )
  }
}

const VALUES: Readonly<Record<string, string>> = { float: 'floats', boolean: 'booleans' }
const HIDE = `If it gave engine='python', --read-csv '{"engine": "python"}' hides this line`
