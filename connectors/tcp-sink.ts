import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { RowmillError } from '../src/errors.ts'
import type { JobSummary, PackedRows, Sink, SinkHeader, Values } from '../src/index.ts'
import { counted } from '../src/support/counted.ts'
import { frameOf } from '../src/support/frame.ts'
import type { Say } from '../src/support/say.ts'
import { checkPlain, OutputFormat } from './csv/output-format.ts'
import { abandon } from './tcp/abandon.ts'
import { describeAddress, type TcpAddress } from './tcp/address.ts'

export interface TcpSinkOptions {
  /** Where the receiver listens. */
  readonly address: TcpAddress
  /** Ends every wait for the receiver with its reason. */
  readonly signal?: AbortSignal
  /** Called with what the receiver was sent, if it was not sent everything. */
  readonly say?: Say
}

const KEEP_ALIVE_MS = 60_000
/** How long a receiver may take to read the last rows and to close its side. */
const CLOSING_MS = 10_000

/**
 * At least once after a crash: the next collector sends all rows again, from the first.
 *
 * Connects to a receiver (docs/tcp.md) and sends each result as one frame: its rows, joined by line ends. If the job wants
 * a header, that is a frame of its own, the first. A complete job ends the connection, any other one resets it. Nothing
 * tells how much a receiver has read, so there are no checkpoints.
 * Throws OUTPUT_UNUSABLE if nobody listens, and OUTPUT_FAILED if the connection breaks.
 */
export class TcpSink implements Sink {
  readonly #options: TcpSinkOptions
  readonly #name: string
  #socket: Socket | null = null
  #format: OutputFormat | null = null
  #fault: Error | null = null
  #frames = 0
  #committed = false

  constructor(options: TcpSinkOptions) {
    this.#options = options
    this.#name = describeAddress(options.address)
  }

  async open(): Promise<null> {
    const { address, signal } = this.#options
    // Half open: a receiver that says nothing may close its own direction at once.
    const socket = connect({ ...address, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
    this.#socket = socket
    socket.on('error', error => {
      this.#fault ??= error
    })
    signal?.addEventListener('abort', this.#onAbort)
    try {
      await once(socket, 'connect', signal && { signal })
    } catch (cause) {
      signal?.throwIfAborted()
      const message = `cannot connect to ${this.#name}: ${(cause as Error).message}. Start the receiver first.`
      throw new RowmillError('OUTPUT_UNUSABLE', message, { ...address }, { cause })
    }
    socket.resume() // what a receiver says is ignored
    return null
  }

  /** Never called: there are no checkpoints. */
  async restart(): Promise<void> {}

  async begin(header: SinkHeader | null): Promise<void> {
    this.#format = header && new OutputFormat(header)
    if (this.#format) checkPlain(this.#format.file, 'a TCP receiver')
    if (this.#format?.headerLine) await this.#send(this.#format.headerLine)
  }

  write(rows: readonly Values[]): Promise<void> {
    return this.#send(this.#format!.lines(rows))
  }

  writePacked(rows: PackedRows): Promise<void> {
    return this.#send(this.#format!.packedLines(rows))
  }

  async checkpoint(): Promise<void> {}

  async commit(_: JobSummary, signal: AbortSignal): Promise<void> {
    if (this.#fault) throw this.#broken(this.#fault)
    const late = AbortSignal.timeout(CLOSING_MS)
    const closed = once(this.#socket!, 'close', { signal: AbortSignal.any([signal, late]) })
    this.#socket!.end()
    try {
      await closed
    } catch (error) {
      signal.throwIfAborted()
      if (!late.aborted) throw this.#broken(error as Error)
      const seconds = CLOSING_MS / 1000
      this.#options.say?.(`${this.#name} did not close the connection within ${seconds} s: has it read all rows?`, {
        level: 'warn',
      })
    }
    this.#committed = true
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = null
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    if (!socket) return
    if (this.#committed) socket.destroy()
    else abandon(socket)
    if (this.#committed || this.#frames === 0) return
    const message = `${this.#name} was sent ${counted(this.#frames, 'frame')}, a part of the rows. The same command sends all rows again, from the first`
    this.#options.say?.(message)
  }

  /** Resolves when the system has taken the whole frame, so that a slow receiver slows the collector. */
  async #send(lines: string | Uint8Array): Promise<void> {
    const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines
    const content = bytes.subarray(0, bytes.length - Buffer.byteLength(this.#format!.lineEnd))
    try {
      if (this.#fault) throw this.#fault
      await new Promise<void>((resolve, reject) => {
        this.#socket!.write(frameOf(content), error => (error ? reject(error) : resolve()))
      })
    } catch (error) {
      this.#options.signal?.throwIfAborted()
      throw this.#broken(this.#fault ?? (error as Error))
    }
    this.#frames++
  }

  readonly #onAbort = () => {
    this.#socket?.destroy()
  }

  #broken(cause: Error): RowmillError {
    const message = `the connection to ${this.#name} broke after ${counted(this.#frames, 'frame')}: ${cause.message}`
    return new RowmillError('OUTPUT_FAILED', message, { frames: this.#frames }, { cause })
  }
}
