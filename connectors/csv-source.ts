import type { Readable } from 'node:stream'
import { RowmillError } from '../src/errors.ts'
import type { PackedSourceRows, Source, SourceHeader, SourceRows } from '../src/index.ts'
import { type CsvColumns, csvColumnsOf, type RecordStart } from '../src/pandas/csv-columns.ts'
import { EngineDifferences } from '../src/pandas/engine-differences.ts'
import { INDEX_KINDS, IndexKindInference } from '../src/pandas/index-kind.ts'
import { checkReadCsv, type ReadCsvPlan } from '../src/pandas/read-csv.ts'
import type { Say } from '../src/support/say.ts'
import { type DecodedRecords, NO_RECORDS, RecordDecoder } from './csv/decoder.ts'
import { InputBytes } from './csv/input-bytes.ts'
import { isBlank } from './csv/records.ts'

export interface CsvSourceOptions {
  /** A file, unpacked if its name ends in .gz, .bz2, .zip or .zst. '-' is standard input. */
  readonly path: string
  /** Keyword arguments of the original job's pandas.read_csv. */
  readonly readCsv: Readonly<Record<string, unknown>>
  /** Keyword arguments of the original job's to_csv, which decide where pandas' engines differ. Default: none. */
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** The separator. Null: the one in `readCsv`, or a comma. */
  readonly delimiter: string | null
  /** One of INDEX_KINDS, instead of what pandas would infer. */
  readonly indexKind: string | null
  /** What messages call '-'. Default: standard input. */
  readonly name?: string
  /** What '-' reads. Default: process.stdin. */
  readonly stdin?: Readable
  /** Called with each assumption that the rows may depend on. */
  readonly say?: Say
}

interface ReadStart extends RecordStart {
  /** The one cell to keep of each record; null: all. */
  readonly only?: number | null
}

/**
 * Every row of a file exactly once, also after a crash. The job of other input (`-`, a pipe) cannot be resumed.
 *
 * Reads a CSV file as pandas.read_csv(path, index_col=0, dtype=str, engine='python') reads it (docs/csv.md).
 * `open` reads a regular file once to its end. So it finds a fault before the first row is published, counts the rows, knows
 * the index kind, and takes the SHA-256 digest of the bytes, the option `sourceDigest`. `rows` yields no row of
 * bytes that differ. Other input can be read only once: its total is null, its index text, and it has no digest.
 * Throws USAGE, INPUT_NOT_FOUND, INPUT_UNREADABLE, INPUT_EMPTY, INPUT_ENCODING, INPUT_QUOTE, INPUT_FIELDS,
 * INPUT_CELL_TOO_LARGE, INPUT_ROW_TOO_LARGE, and INPUT_CHANGED if the file changes between `open` and the last row.
 */
export class CsvSource implements Source {
  readonly #options: CsvSourceOptions
  readonly #plan: ReadCsvPlan
  readonly #input: InputBytes
  /** Null if the engine of the original job is known. */
  readonly #differences: EngineDifferences | null = null
  #csvColumns: CsvColumns | null = null
  /** How many bytes of the unpacked input were read. */
  #end = 0
  /** What `open` read ahead of `rows`, from input that can be read only once. */
  #ahead: AsyncGenerator<DecodedRecords> | null = null
  /** Where the file's first record begins, if that may hold a byte order mark. */
  #bomByte: number | null = null
  /** Whether records may stay bytes. */
  #packs = false

  /** Throws USAGE for arguments that it cannot obey. */
  constructor(options: CsvSourceOptions) {
    this.#options = options
    this.#plan = checkReadCsv(options.readCsv, options.delimiter)
    this.#input = new InputBytes({ ...options, compression: this.#plan.compression, encoding: this.#plan.encoding })
    const say: Say = (message, facts) => options.say?.(message, facts)
    const { readCsv, toCsv = {} } = options
    if (readCsv['engine'] === undefined)
      this.#differences = new EngineDifferences(this.#input.name, { readCsv, toCsv }, say)
    if (options.indexKind !== null && !INDEX_KINDS.some(kind => kind === options.indexKind)) {
      const kinds = INDEX_KINDS.join(', ')
      throw new RowmillError('USAGE', `--index-kind ${options.indexKind}: unknown. It must be one of ${kinds}.`)
    }
  }

  async open(counted: (rows: number) => void = () => {}): Promise<SourceHeader> {
    await this.#input.open()
    const file = this.#input.checked // null if the source was closed meanwhile
    const pieces = this.#records({ byte: 0, line: 1 })
    const { csvColumns, rest } = await this.#readHead(pieces)
    this.#csvColumns = csvColumns
    const { columns } = csvColumns
    const options = [{ name: 'readCsv', value: JSON.stringify(this.#plan.handedOn) }]
    const given = csvColumns.numbered ? null : this.#options.indexKind
    if (file === null) {
      this.#ahead = concatenate(rest, pieces)
      const assumed = csvColumns.inferredAt === null ? null : 'text'
      if (given === null && assumed)
        this.#options.say?.(assumedText(this.#input.name, columns[csvColumns.inferredAt!]!), {
          level: 'warn',
        })
      return { columns, indexKind: given ?? assumed, identity: null, total: null, options }
    }
    await pieces.return(null)
    const { total, kind, longestBytes } = await this.#scan(csvColumns, given, counted)
    options.push({ name: 'sourceDigest', value: await file.digest() })
    await file.checkUnchanged()
    return { columns, indexKind: kind, identity: file.identity, total, longestBytes, options }
  }

  async *rows(): AsyncGenerator<SourceRows> {
    this.#packs = false
    for await (const { rows, lines } of this.#read()) yield { rows, lines }
  }

  async *packed(): AsyncGenerator<SourceRows | PackedSourceRows> {
    this.#packs = true
    for await (const { rows, packed, lines } of this.#read()) yield packed ? { packed, lines } : { rows, lines }
  }

  /** The records after the header, at least one at a time. */
  async *#read(): AsyncGenerator<DecodedRecords> {
    const csvColumns = this.#csvColumns
    if (csvColumns === null) throw new RowmillError('INTERNAL', 'rows of a CSV source were read before open().')
    if (csvColumns.first === null) return
    let seq = 0
    try {
      for await (const records of this.#ahead ?? this.#records(csvColumns.first)) {
        this.#checkWidth(records, seq, csvColumns)
        seq += records.lines.length
        if (records.lines.length > 0) yield records
      }
    } catch (error) {
      // The scan found no fault in this file, so a fault now means that the file changed.
      await this.#input.checked?.checkUnchanged()
      throw error
    }
    await this.#input.checked?.checkUnchanged()
  }

  close(): Promise<void> {
    return this.#input.close()
  }

  /** The records from `start` on. That is 0, or the byte where a record begins. */
  async *#records(start: ReadStart): AsyncGenerator<DecodedRecords> {
    const plan = this.#plan
    const atHead = start.byte === 0
    const head = atHead ? { skipLines: plan.skipLines, signature: plan.signature } : {}
    const decoder = new RecordDecoder(plan.dialect, this.#input.name, { ...start, ...head })
    let first = true
    const clean = (records: DecodedRecords): DecodedRecords => {
      this.#differences?.blank(records.keptByC)
      if (!first || records.lines.length === 0) return records
      first = false
      if (atHead && plan.skipLines === 0) this.#bomByte = decoder.head
      if (records.packed !== null) return records
      const cell = records.rows[0]![0]
      // The scan keeps one column. Its first cell is not the first cell of the file, unless it is column 0.
      if (records.bytes[0] !== this.#bomByte || cell === undefined || start.only) return records
      records.rows[0]![0] = this.#withoutBom(cell)
      return records
    }
    const packs = () => this.#packs && !(first && start.byte === this.#bomByte)
    this.#end = start.byte
    for await (const piece of this.#input.pieces(start.byte)) {
      this.#end += piece.length
      yield clean(decoder.push(piece, false, packs()))
    }
    yield clean(decoder.push(new Uint8Array(0), true, packs()))
  }

  /** As PythonParser._check_for_bom: csv read the quotes after the mark as text, so pandas removes one pair. */
  #withoutBom(cell: string): string {
    if (cell[0] !== '\ufeff') return cell
    const quote = this.#plan.bomQuote
    if (cell[1] !== quote) return cell.slice(1)
    const end = cell.indexOf(quote, 2)
    if (end >= 0) return cell.slice(2, end) + cell.slice(end + 1)
    throw new RowmillError(
      'INPUT_QUOTE',
      `${this.#input.name}, line 1: pandas cannot read a quoted separator after a byte order mark. Remove the mark, or set ` +
        'encoding to utf-8-sig in --read-csv and in the old job.',
      { line: 1 },
    )
  }

  /** Reads up to the header and the first row. `rest` holds the rows read so far, without the header. */
  async #readHead(pieces: AsyncGenerator<DecodedRecords>): Promise<{ csvColumns: CsvColumns; rest: DecodedRecords }> {
    const { names } = this.#plan
    let head = await readUntil(pieces, NO_RECORDS, names ? 1 : 2)
    const header = names ?? head.rows[0]
    if (header === undefined) {
      throw new RowmillError(
        'INPUT_EMPTY',
        `${this.#input.name} is empty: it has no header. Check that it was written.`,
      )
    }
    if (!names) {
      this.#differences?.header(header)
      head = withoutFirst(head)
    }
    const width = head.widths[0] ?? null
    // This line has only a byte order mark. pandas takes the width of the rows from it, and then drops it as blank.
    if (names && head.rows[0] && isBlank(head.rows[0])) head = await readUntil(pieces, withoutFirst(head), 1)
    const first = head.rows.length === 0 ? null : { byte: head.bytes[0]!, line: head.lines[0]! }
    return { csvColumns: csvColumnsOf(this.#plan, { header, width, first, name: this.#input.name }), rest: head }
  }

  /** Reads all rows: finds faults, counts and measures them, and infers the index kind. */
  async #scan(
    csvColumns: CsvColumns,
    given: string | null,
    counted: (rows: number) => void,
  ): Promise<{ total: number; kind: string | null; longestBytes: number }> {
    const at = given === null ? csvColumns.inferredAt : null
    const inference = new IndexKindInference(csvColumns.indexRules, csvColumns.indexReadAsText)
    let total = 0
    let longestBytes = 0
    if (csvColumns.first !== null) {
      let start = csvColumns.first.byte
      for await (const records of this.#records({ ...csvColumns.first, only: at ?? -1 })) {
        this.#checkWidth(records, total, csvColumns)
        total += records.lines.length
        counted(total)
        for (const byte of records.bytes) {
          longestBytes = Math.max(longestBytes, byte - start)
          start = byte
        }
        if (at === null) continue
        for (let index = 0; index < records.rows.length; index++)
          inference.add(records.rows[index]![0], records.lines[index]!)
      }
      longestBytes = Math.max(longestBytes, this.#end - start)
    }
    if (at === null) return { total, kind: given, longestBytes }
    const kind = inference.kind(this.#input.name)
    this.#differences?.index(csvColumns.columns[at]!, inference, kind)
    return { total, kind, longestBytes }
  }

  /** Refuses rows that are longer than the header. `seq` is the number of the first row. */
  #checkWidth({ widths, lines }: DecodedRecords, seq: number, csvColumns: CsvColumns): void {
    const width = csvColumns.columns.length
    for (let index = 0; index < widths.length; index++) {
      const found = widths[index]!
      if (found === width) continue
      const line = lines[index]!
      if (found > width) throw tooWide({ line, found, isSecond: seq + index === 1 }, csvColumns, this.#input.name)
      this.#differences?.short(line)
    }
  }
}

/** Extends `records` with the next of `pieces` until it has `count` rows, or there are no more. */
async function readUntil(
  pieces: AsyncGenerator<DecodedRecords>,
  records: DecodedRecords,
  count: number,
): Promise<DecodedRecords> {
  while (records.rows.length < count) {
    const next = await pieces.next()
    if (next.done) break
    const { rows, widths, lines, bytes } = next.value
    records = {
      ...NO_RECORDS,
      rows: records.rows.concat(rows),
      widths: records.widths.concat(widths),
      lines: records.lines.concat(lines),
      bytes: records.bytes.concat(bytes),
    }
  }
  return records
}

async function* concatenate(
  first: DecodedRecords,
  others: AsyncGenerator<DecodedRecords>,
): AsyncGenerator<DecodedRecords> {
  if (first.rows.length > 0) yield first
  yield* others
}

function withoutFirst({ rows, widths, lines, bytes }: DecodedRecords): DecodedRecords {
  return { ...NO_RECORDS, rows: rows.slice(1), widths: widths.slice(1), lines: lines.slice(1), bytes: bytes.slice(1) }
}

function tooWide(
  { line, found, isSecond }: { line: number; found: number; isSecond: boolean },
  { columns: { length: expected }, indexNamedByWidth, first }: CsvColumns,
  name: string,
): RowmillError {
  const cure =
    isSecond && found === indexNamedByWidth
      ? `quote a cell that holds the separator. If these are the cells, remove line ${first!.line}: pandas would take it for the names of the index`
      : 'quote a cell that holds the separator'
  const message = `${name}, line ${line}: expected ${expected} cells, found ${found}: ${cure}.`
  return new RowmillError('INPUT_FIELDS', message, { line, expected, found })
}

function assumedText(name: string, column: string): string {
  return (
    `${name} is read only once, so the index${column && ` ${column}`} is taken as text, where pandas may find numbers ` +
    '(007 would be 7). Choose with --index-kind: integer or another kind, or text to keep it so and hide this line'
  )
}
