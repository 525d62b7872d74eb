import { isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { RowmillError } from '../src/errors.ts'
import type { Source, SourceHeader, SourceRows } from '../src/index.ts'
import { type CsvDialect, checkReadCsv } from '../src/pandas/read-csv.ts'
import { isLoopback } from '../src/support/loopback.ts'
import { splitRecords } from './csv/records.ts'
import { CsvSource, type CsvSourceOptions } from './csv-source.ts'
import { abandon } from './tcp/abandon.ts'
import { describeAddress, type TcpAddress } from './tcp/address.ts'
import { brokenOff, readFrames } from './tcp/frames.ts'

export interface TcpSourceOptions extends Pick<CsvSourceOptions, 'readCsv' | 'delimiter' | 'indexKind' | 'say'> {
  /** Where to listen. Port 0 is any free port: `say` tells which. */
  readonly address: TcpAddress
}

const KEEP_ALIVE_MS = 60_000

/**
 * Every row exactly once while publisher and sender live; a job that is cut short fails, and cannot be resumed.
 *
 * Listens for one sender, whose rows are one job (docs/tcp.md). Each frame holds one CSV record, the first one the header.
 * The records are read as CsvSource reads standard input, each frame as one line. Empty frames are skipped.
 * Throws what CsvSource throws for standard input, INPUT_UNREADABLE if the sender leaves before the end of the job,
 * INPUT_FIELDS for a frame with more than one record, and INPUT_ENCODING for a frame that is not UTF-8.
 */
export class TcpSource implements Source {
  readonly #options: TcpSourceOptions
  readonly #name: string
  readonly #dialect: CsvDialect
  readonly #records: CsvSource
  readonly #server = createServer({ allowHalfOpen: true })
  readonly #closed = new AbortController()
  #sender: Socket | null = null
  #published = false

  /** Throws USAGE for arguments that it cannot obey. */
  constructor(options: TcpSourceOptions) {
    const { address, readCsv, delimiter } = options
    this.#options = options
    this.#name = describeAddress(address)
    this.#dialect = checkReadCsv(readCsv, delimiter).dialect
    const stdin = Readable.from(this.#lines(), { objectMode: false })
    this.#records = new CsvSource({ ...options, path: '-', name: this.#name, stdin })
    this.#server.maxConnections = 1
  }

  open(): Promise<SourceHeader> {
    return this.#records.open()
  }

  rows(): AsyncIterable<SourceRows> {
    return this.#records.rows()
  }

  async published(): Promise<void> {
    this.#published = true
  }

  /** The sender sees an end (FIN) if its rows were published, else a reset: it must not take a failed job for a published one. */
  async close(): Promise<void> {
    this.#closed.abort()
    this.#server.close()
    if (this.#published) this.#sender?.destroySoon()
    else if (this.#sender) abandon(this.#sender)
    await this.#records.close()
  }

  /** The frames of the sender as lines of a file. */
  async *#lines(): AsyncGenerator<Buffer> {
    const sender = await this.#accept()
    let count = 0
    let line = 1
    try {
      for await (const frames of readFrames(sender.iterator({ destroyOnReturn: false }), this.#name)) {
        for (const frame of frames) line += this.#checkOneRecord(frame, { number: ++count, line })
        yield Buffer.concat(frames.flatMap(frame => [frame, LINE_FEED]))
      }
    } catch (error) {
      if (error instanceof RowmillError) throw error
      throw brokenOff(this.#name, `the connection broke (${(error as Error).message})`, count, error)
    }
  }

  async #accept(): Promise<Socket> {
    const { address, say } = this.#options
    const { signal } = this.#closed
    try {
      this.#server.listen(address)
      await once(this.#server, 'listening', { signal })
    } catch (cause) {
      const message = `cannot listen on ${this.#name}: ${(cause as Error).message}. Choose another host or port.`
      throw new RowmillError('INPUT_UNREADABLE', message, { ...address }, { cause })
    }
    const { port } = this.#server.address() as AddressInfo
    const warning = isLoopback(address.host) ? '' : '. Anybody who can reach this address can send the rows of the job'
    say?.(`listening on ${describeAddress({ ...address, port })} for one sender${warning}`)
    const [sender] = (await once(this.#server, 'connection', { signal })) as [Socket]
    this.#sender = sender
    this.#server.close() // another sender is refused: it would be another job
    sender.setKeepAlive(true, KEEP_ALIVE_MS) // a host that is gone says nothing
    return sender
  }

  /** The number of lines in a frame. Most records have no quote or line end, and need no closer look. */
  #checkOneRecord(frame: Uint8Array, { number, line }: { number: number; line: number }): number {
    const dialect = this.#dialect
    if (!isUtf8(frame)) {
      const message = `${this.#name}: frame ${number} is not valid UTF-8. Send each record as UTF-8.`
      throw new RowmillError('INPUT_ENCODING', message, { frame: number })
    }
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString()
    const special = ['\n', '\r', dialect.quote, dialect.escapeChar]
    if (!special.some(character => character !== null && text.includes(character))) return 1
    const { rows, line: next } = splitRecords(`${text}\n`, { dialect, final: true, line, name: this.#name })
    if (rows.length <= 1) return next - line
    const message = `${this.#name}: frame ${number} holds ${rows.length} records. Send each record in a frame of its own.`
    throw new RowmillError('INPUT_FIELDS', message, { frame: number, records: rows.length })
  }
}

const LINE_FEED = Buffer.from('\n')
