import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { RowmillError } from '../src/errors.ts'
import type { PackedRows, Sink, SinkHeader, Values } from '../src/index.ts'
import { checkPlain, OutputFormat } from './csv/output-format.ts'

/**
 * At least once after a crash: the next collector writes all rows again, from the first.
 *
 * Writes the rows to standard output as soon as they are in order. They cannot be taken back. A job that fails later leaves
 * some of its rows there, and only the exit code tells. It has no checkpoints.
 */
export class StdoutSink implements Sink {
  readonly #out: Writable
  #format: OutputFormat | null = null
  #fault: Error | null = null
  readonly #onError = (error: Error) => {
    this.#fault = error
  }

  constructor(out: Writable = process.stdout) {
    this.#out = out
  }

  async open(): Promise<null> {
    this.#out.on('error', this.#onError)
    return null
  }

  /** Never called: there are no checkpoints. */
  async restart(): Promise<void> {}

  async begin(header: SinkHeader | null): Promise<void> {
    this.#format = header && new OutputFormat(header)
    if (this.#format) checkPlain(this.#format.file, 'standard output')
    if (this.#format) await this.#write(this.#format.headerLine)
  }

  write(rows: readonly Values[]): Promise<void> {
    return this.#write(this.#format!.lines(rows))
  }

  /** The stream may keep what it was given, so it gets a copy. */
  writePacked(rows: PackedRows): Promise<void> {
    return this.#write(Buffer.from(this.#format!.packedLines(rows)))
  }

  async checkpoint(): Promise<void> {}

  async commit(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#out.write('', error => (error ? reject(closed(error)) : resolve()))
    })
  }

  async close(): Promise<void> {
    this.#out.off('error', this.#onError)
  }

  async #write(lines: string | Uint8Array): Promise<void> {
    if (this.#fault) throw closed(this.#fault)
    if (this.#out.write(lines)) return
    await once(this.#out, 'drain').catch(error => {
      throw closed(error)
    })
  }
}

function closed(cause: Error): RowmillError {
  return new RowmillError('OUTPUT_FAILED', `cannot write to standard output: ${cause.message}`, {}, { cause })
}
