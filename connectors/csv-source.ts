import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { RowmillError, type Source, type SourceHeader, type SourcePosition, type SourceRows } from '../src/index.ts'
import { type Layout, layOut } from '../src/pandas/csv-columns.ts'
import { EngineDifferences } from '../src/pandas/engine-differences.ts'
import { INDEX_KINDS, IndexKindInference } from '../src/pandas/index-kind.ts'
import { checkReadCsv, type ReadCsvPlan } from '../src/pandas/read-csv.ts'
import { type DecodedRun, RecordDecoder } from './csv/decoder.ts'
import { isBlank } from './csv/records.ts'
import { CheckedFile, type OnceFile, openInput, PIECE_BYTES, unreadable } from './file/checked-file.ts'

export { checkReadCsv } from '../src/pandas/read-csv.ts'
export { PIECE_BYTES } from './file/checked-file.ts'

export interface CsvSourceOptions {
  /** A file, gunzipped where its name ends in .gz; '-' is standard input. */
  readonly path: string
  /** Keyword arguments of the old job's pandas.read_csv, over READ_CSV_DEFAULTS. */
  readonly readCsv: Readonly<Record<string, unknown>>
  /** The separator; null: the one in `readCsv`, else a comma. */
  readonly delimiter: string | null
  /** One of INDEX_KINDS, in place of what pandas would infer. */
  readonly indexKind: string | null
  /** What '-' reads; process.stdin by default. */
  readonly stdin?: Readable
  /** Told what was assumed, where the rows may depend on it. */
  say?(message: string): void
}

interface Start {
  readonly byte: number
  readonly line: number
  /** The one cell to keep of each record; null: all. */
  readonly only?: number | null
}

/** What pandas would unpack by its name and this source does not (pandas.io.common.extension_to_compression). */
const PACKED = /\.(?:tar|tar\.gz|tar\.bz2|tar\.xz|bz2|zip|xz|zst)$/i

/**
 * The rows of a CSV file as pandas.read_csv(path, index_col=0, dtype=str, engine='python') reads them (docs/csv.md).
 *
 * `open` reads a regular file once to the end: what is wrong with it is found before its first row, its rows are
 * counted, the kind of its index is known, and the SHA-256 digest of its bytes, which is the option `sourceDigest`.
 * `rows` hands out no row of bytes that differ from those. Other input can be read only once: its total is null, its
 * index text, and it has no digest.
 * Throws USAGE, INPUT_NOT_FOUND, INPUT_UNREADABLE, INPUT_EMPTY, INPUT_ENCODING, INPUT_QUOTE, INPUT_FIELDS,
 * INPUT_CELL_TOO_LARGE, INPUT_ROW_TOO_LARGE, and INPUT_CHANGED where the file changes between `open` and the last row.
 */
export class CsvSource implements Source {
  readonly #options: CsvSourceOptions
  readonly #plan: ReadCsvPlan
  readonly #name: string
  /** Null where the old job's engine is known. */
  readonly #differences: EngineDifferences | null
  /** What is read: a file that `open` has scanned, or one that can be read only once; null: standard input. */
  #file: CheckedFile | OnceFile | null = null
  #stream: Readable | null = null
  #layout: Layout | null = null
  /** What was read ahead of the first call of `rows`, from input that can be read only once. */
  #ahead: AsyncGenerator<DecodedRun> | null = null
  /** Where the file's first record begins, if that may hold a byte order mark. */
  #bomByte: number | null = null

  /** Throws USAGE where the arguments cannot be obeyed. */
  constructor(options: CsvSourceOptions) {
    this.#options = options
    this.#plan = checkReadCsv(options.readCsv, options.delimiter)
    this.#name = options.path === '-' ? 'standard input' : options.path
    const say = (message: string) => options.say?.(message)
    this.#differences = options.readCsv['engine'] === undefined ? new EngineDifferences(this.#name, say) : null
    const packed = PACKED.exec(options.path)
    if (packed && this.#plan.compression === 'infer') {
      throw new RowmillError('USAGE', `input ${options.path}: ${packed[0]} is not read, only .gz. Unpack it first.`)
    }
    if (options.indexKind !== null && !INDEX_KINDS.some(kind => kind === options.indexKind)) {
      const kinds = INDEX_KINDS.join(', ')
      throw new RowmillError('USAGE', `--index-kind ${options.indexKind}: unknown. It must be one of ${kinds}.`)
    }
  }

  async open(counted: (rows: number) => void = () => {}): Promise<SourceHeader> {
    if (this.#options.path !== '-') this.#file = await openInput(this.#options.path)
    const file = this.#checked // a source that is closed while it is opened has none any more
    const runs = this.#runs({ byte: 0, line: 1 })
    const { layout, rest } = await this.#readHead(runs)
    this.#layout = layout
    const { columns } = layout
    const options = [{ name: 'readCsv', value: JSON.stringify(this.#plan.handedOn) }]
    const given = layout.numbered ? null : this.#options.indexKind
    if (file === null) {
      this.#ahead = concatenate(rest, runs)
      const assumed = layout.inferredAt === null ? null : 'text'
      if (given === null && assumed) this.#options.say?.(assumedText(this.#name, columns[layout.inferredAt!]!))
      return { columns, indexKind: given ?? assumed, identity: null, total: null, options }
    }
    await runs.return(null)
    const { total, kind } = await this.#scan(layout, given, counted)
    options.push({ name: 'sourceDigest', value: await file.digest() })
    await file.checkUnchanged()
    return { columns, indexKind: kind, identity: file.identity, total, options }
  }

  async *rows(from: SourcePosition | null): AsyncGenerator<SourceRows> {
    const layout = this.#layout
    if (layout === null) throw new RowmillError('INTERNAL', 'rows() of a CSV source was called before open().')
    const once = this.#ahead
    if (once !== null && from !== null) {
      throw new RowmillError('INPUT_CHANGED', `${this.#name} cannot be read again: begin a new job.`)
    }
    const start = from ?? layout.first
    if (start === null) return
    let seq = start.seq
    try {
      for await (const run of once ?? this.#runs(start)) {
        checkWidth(run, seq, layout, this.#name)
        seq += run.rows.length
        const { rows, lines, bytes } = run
        if (rows.length > 0) yield { rows, lines, bytes }
      }
    } catch (error) {
      // A file that was sound when it was scanned can only break because it changed.
      await this.#checked?.checkUnchanged()
      throw error
    }
    await this.#checked?.checkUnchanged()
  }

  async close(): Promise<void> {
    this.#stream?.destroy()
    this.#stream = null
    const file = this.#file
    this.#file = null
    await (file instanceof CheckedFile ? file : file?.handle)?.close()
  }

  get #checked(): CheckedFile | null {
    return this.#file instanceof CheckedFile ? this.#file : null
  }

  /** The records from `start` on, which is 0 or where a record begins. */
  async *#runs(start: Start): AsyncGenerator<DecodedRun> {
    const plan = this.#plan
    const atHead = start.byte === 0
    const head = atHead ? { skipLines: plan.skipLines, signature: plan.signature } : {}
    const decoder = new RecordDecoder(plan.dialect, this.#name, { ...start, ...head })
    let first = true
    const clean = (run: DecodedRun): DecodedRun => {
      this.#differences?.blank(run.keptByC)
      if (!first || run.rows.length === 0) return run
      first = false
      if (atHead && plan.skipLines === 0) this.#bomByte = decoder.head
      const cell = run.rows[0]![0]
      // The scan keeps one column, and takes no mark for the first cell of another.
      if (run.bytes[0] !== this.#bomByte || cell === undefined || start.only) return run
      run.rows[0]![0] = this.#withoutBom(cell)
      return run
    }
    for await (const piece of this.#pieces(start.byte)) yield clean(decoder.push(piece, false))
    yield clean(decoder.push(new Uint8Array(0), true))
  }

  /** PythonParser._check_for_bom: csv took the quotes behind the mark for text, so pandas takes off one pair. */
  #withoutBom(cell: string): string {
    if (cell[0] !== '\ufeff') return cell
    const quote = this.#plan.bomQuote
    if (cell[1] !== quote) return cell.slice(1)
    const end = cell.indexOf(quote, 2)
    if (end >= 0) return cell.slice(2, end) + cell.slice(end + 1)
    throw new RowmillError(
      'INPUT_QUOTE',
      `${this.#name}, line 1: pandas cannot read a quoted separator behind a byte order mark. Remove the mark, or set ` +
        'encoding to utf-8-sig in --read-csv and in the old job.',
      { line: 1 },
    )
  }

  /** The uncompressed bytes from `from` on. A piece is overwritten by the next one. */
  async *#pieces(from: number): AsyncGenerator<Uint8Array> {
    const { path } = this.#options
    const { compression } = this.#plan
    const zipped = compression === 'gzip' || (compression === 'infer' && path.toLowerCase().endsWith('.gz'))
    const checked = this.#checked
    if (checked !== null && !zipped) return yield* checked.pieces(from)
    const once = (this.#file as OnceFile | null)?.handle?.createReadStream({ autoClose: false })
    const input: AsyncIterable<Uint8Array> = checked?.pieces(0) ?? once ?? this.#options.stdin ?? process.stdin
    let fed = 0
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of input) {
        fed += piece.length
        // A copy: zlib works on the piece while the next one is read into the same buffer.
        yield Buffer.from(piece)
      }
    }
    const gunzip = zipped ? createGunzip({ chunkSize: PIECE_BYTES }) : null
    this.#stream = gunzip ? pipeline(counted, gunzip, () => {}) : (input as Readable)
    let byte = 0
    try {
      for await (const piece of this.#stream as AsyncIterable<Buffer>) {
        if (byte + piece.length > from) yield piece.subarray(Math.max(0, from - byte))
        byte += piece.length
      }
    } catch (error) {
      throw error instanceof RowmillError ? error : unreadable(this.#name, error)
    }
    if (gunzip && gunzip.bytesWritten < fed) await this.#checkZeros(gunzip.bytesWritten)
  }

  /** Node ignores what follows zeros behind a gzip member; Python goes on with it. */
  async #checkZeros(from: number): Promise<void> {
    const file = this.#checked
    if (file !== null) {
      let zeros = true
      for await (const piece of file.pieces(from)) zeros &&= piece.every(byte => byte === 0)
      if (zeros) return
    }
    throw unreadable(this.#name, new Error('data follows the zeros behind a gzip member'))
  }

  /** Reads until the header and the first row are there. `rest` holds the rows read on the way. */
  async #readHead(runs: AsyncGenerator<DecodedRun>): Promise<{ layout: Layout; rest: DecodedRun }> {
    const { names } = this.#plan
    let head = await readUntil(runs, EMPTY_RUN, names ? 1 : 2)
    const header = names ?? head.rows[0]
    if (header === undefined) {
      throw new RowmillError('INPUT_EMPTY', `${this.#name} is empty: it has no header. Check that it was written.`)
    }
    if (!names) head = withoutFirst(head)
    const width = head.widths[0] ?? null
    // Only a byte order mark was on this line: pandas takes the width of the rows from it and then drops it as blank.
    if (names && head.rows[0] && isBlank(head.rows[0])) head = await readUntil(runs, withoutFirst(head), 1)
    const first = head.rows.length === 0 ? null : { seq: 0, byte: head.bytes[0]!, line: head.lines[0]! }
    return { layout: layOut(this.#plan, { header, width, first, name: this.#name }), rest: head }
  }

  /** Reads all rows for what is wrong with them, their number and the kind of their index. */
  async #scan(
    layout: Layout,
    given: string | null,
    counted: (rows: number) => void,
  ): Promise<{ total: number; kind: string | null }> {
    const at = given === null ? layout.inferredAt : null
    const inference = new IndexKindInference(layout.indexRules, layout.indexReadAsText)
    let total = 0
    if (layout.first !== null) {
      for await (const run of this.#runs({ ...layout.first, only: at ?? -1 })) {
        checkWidth(run, total, layout, this.#name)
        total += run.rows.length
        counted(total)
        if (at === null) continue
        for (let index = 0; index < run.rows.length; index++) inference.add(run.rows[index]![0], run.lines[index]!)
      }
    }
    if (at === null) return { total, kind: given }
    const kind = inference.kind(this.#name)
    this.#differences?.index({ column: layout.columns[at]!, kind, line: inference.rewrittenAt(kind) })
    return { total, kind }
  }
}

const EMPTY_RUN: DecodedRun = { rows: [], widths: [], lines: [], bytes: [], keptByC: null }

/** `run` and as many of `runs` as give it `count` rows, if there are that many. */
async function readUntil(runs: AsyncGenerator<DecodedRun>, run: DecodedRun, count: number): Promise<DecodedRun> {
  while (run.rows.length < count) {
    const next = await runs.next()
    if (next.done) break
    const { rows, widths, lines, bytes } = next.value
    run = {
      ...EMPTY_RUN,
      rows: run.rows.concat(rows),
      widths: run.widths.concat(widths),
      lines: run.lines.concat(lines),
      bytes: run.bytes.concat(bytes),
    }
  }
  return run
}

async function* concatenate(first: DecodedRun, others: AsyncGenerator<DecodedRun>): AsyncGenerator<DecodedRun> {
  if (first.rows.length > 0) yield first
  yield* others
}

function withoutFirst({ rows, widths, lines, bytes }: DecodedRun): DecodedRun {
  return { ...EMPTY_RUN, rows: rows.slice(1), widths: widths.slice(1), lines: lines.slice(1), bytes: bytes.slice(1) }
}

/** Refuses rows that are longer than the header; `seq` is the number of the first one. */
function checkWidth({ widths, lines }: DecodedRun, seq: number, layout: Layout, name: string): void {
  const width = layout.columns.length
  for (let index = 0; index < widths.length; index++) {
    const found = widths[index]!
    if (found <= width) continue
    const line = lines[index]!
    const cure =
      seq + index === 1 && found === layout.indexNamedByWidth
        ? `pandas would take the row before for the names of the index: remove that row, line ${layout.first!.line}`
        : 'quote a cell that holds the separator'
    throw new RowmillError('INPUT_FIELDS', `${name}, line ${line}: expected ${width} cells, found ${found}: ${cure}.`, {
      line,
      expected: width,
      found,
    })
  }
}

function assumedText(name: string, column: string): string {
  return (
    `${name} is read only once, so the index${column && ` ${column}`} is taken as text, where pandas may find numbers ` +
    '(007 would be 7). --index-kind integer, or another kind, makes it so; --index-kind text is as now, without this line'
  )
}
