import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker as Thread } from 'node:worker_threads'
import type { Batch } from '../../core/batcher.ts'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../../errors.ts'
import type { Job } from '../../model.ts'
import { LineForwarder } from '../../support/output-lines.ts'
import type { ShowOutput } from '../../support/say.ts'
import type { BatchAnswer, BatchClassifier, ClassifierJob, ClassifierRuntime } from '../boundary.ts'
import type { EncodedRows } from '../decoding.ts'
import type { ResultHead } from '../encode-results.ts'

export interface ThreadArguments {
  readonly file: string
  readonly name: string
  readonly by: string
  /** How much memory the thread may use, in MB. Null: no limit. */
  readonly memoryMB: number | null
  /** The port for batches and answers. The thread's own parentPort is left to the user's code. */
  readonly port: MessagePort
}

/** Silences Node's warning that it had to find out whether a file without package.json is an ES module. */
const NODE_OPTIONS = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON']
/** How many batches may wait for the thread. When it is free it gets all of them at once. */
const BATCHES_AHEAD = 8

/** A batch on its way to the thread. One message carries several batches or answers, since waking a thread takes time. */
export interface ThreadBatch {
  /** The job, or null if it is the job of the previous batch. */
  readonly job: ClassifierJob | null
  readonly head: Omit<ResultHead, 'by' | 'classifier'>
  /** Where each message is in `bytes`. */
  readonly parts: readonly (Omit<EncodedRows, 'bytes'> & { readonly start: number; readonly length: number })[]
  readonly bytes: ArrayBuffer
}

export type ThreadAnswer =
  | { readonly ready: Pick<ClassifierRuntime, 'versions'>; readonly fingerprint: Uint8Array }
  | { readonly results: ArrayBuffer; readonly lengths: readonly number[] }
  | { readonly error: ErrorRecord }

export interface ModuleClassifierOptions extends Omit<ThreadArguments, 'port'> {
  /** Called with what the user's code printed, in whole lines with their line ends. */
  readonly onOutput: ShowOutput
}

/**
 * The user's function in TypeScript or JavaScript, in its own thread (module-thread.ts). Messages are copied once, into a
 * buffer that is transferred to the thread. Its answers are encoded already, and are transferred back without a copy.
 */
export class ModuleClassifier implements BatchClassifier {
  readonly #options: ModuleClassifierOptions
  readonly ahead = BATCHES_AHEAD
  readonly #waiting: PromiseWithResolvers<ThreadAnswer>[] = []
  #outgoing: ThreadBatch[] = []
  readonly #channel = new MessageChannel()
  #thread: Thread | null = null
  #started: Promise<void> | null = null
  #gone: Promise<unknown> = Promise.resolve()
  #runtime: ClassifierRuntime | null = null
  #fingerprint: Uint8Array = new Uint8Array()
  #death: RowmillError | null = null
  #job: Job | null = null

  constructor(options: ModuleClassifierOptions) {
    this.#options = options
  }

  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  get runtime(): ClassifierRuntime {
    if (this.#runtime) return this.#runtime
    throw this.#death ?? new RowmillError('INTERNAL', 'ModuleClassifier is used before start() resolved.')
  }

  get fingerprint(): Uint8Array {
    return this.#fingerprint
  }

  async classify(batch: Batch, job: Job): Promise<BatchAnswer> {
    if (this.#death) throw this.#death
    if (this.#outgoing.length === 0) process.nextTick(() => this.#send()) // after all batches that are cut in this turn
    this.#outgoing.push(pack(batch, job, job !== this.#job))
    this.#job = job
    const answered = await this.#answer()
    if (!('results' in answered)) throw new RowmillError('INTERNAL', 'the thread of the classifier gave no results.')
    const { results, lengths } = answered
    let end = 0
    const messages = lengths.map(length => {
      end += length
      return Buffer.from(results, end - length, length)
    })
    return { results: messages, rejected: [] }
  }

  async close(): Promise<void> {
    this.#death ??= new RowmillError('CLASSIFIER_DIED', `classifier ${this.#options.file} is closed.`)
    await this.#thread?.terminate()
    await this.#gone
    this.#channel.port1.close()
  }

  #send(): void {
    const batches = this.#outgoing
    this.#outgoing = []
    this.#channel.port1.postMessage(
      batches,
      batches.map(({ bytes }) => bytes),
    )
  }

  async #start(): Promise<void> {
    if (this.#death) throw this.#death
    const { file, name, by, memoryMB, onOutput } = this.#options
    const entry = new URL(`./module-thread${extname(import.meta.filename)}`, import.meta.url)
    const { port1, port2 } = this.#channel
    const workerData: ThreadArguments = { file, name, by, memoryMB, port: port2 }
    const thread = new Thread(entry, {
      workerData,
      transferList: [port2],
      execArgv: NODE_OPTIONS,
      ...(memoryMB === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMB } }),
      stdout: true,
      stderr: true,
    })
    this.#thread = thread
    const ready = this.#answer()
    this.#gone = this.#watch(thread)
    forward(thread.stdout, onOutput)
    forward(thread.stderr, onOutput)
    port1.on('message', (answers: ThreadAnswer[]) => this.#receive(answers))
    const answer = await ready
    if (!('ready' in answer)) throw new RowmillError('INTERNAL', 'the thread of the classifier began with an answer.')
    this.#runtime = { ...answer.ready, quotesCarriageReturn: true }
    this.#fingerprint = answer.fingerprint
  }

  #answer(): Promise<ThreadAnswer> {
    const waiting = Promise.withResolvers<ThreadAnswer>()
    this.#waiting.push(waiting)
    return waiting.promise
  }

  #receive(answers: readonly ThreadAnswer[]): void {
    for (const answer of answers) {
      const waiting = this.#waiting.shift()
      if ('error' in answer) waiting?.reject(errorFromRecord(answer.error))
      else waiting?.resolve(answer)
    }
  }

  /** Resolves when the thread is gone and every waiting call is settled. */
  #watch(thread: Thread): Promise<void> {
    return new Promise(resolve => {
      let reason = ''
      thread.once('error', (error: Error) => {
        reason = `: ${error.stack ?? error.message ?? error}`
      })
      thread.once('exit', code => {
        const how = reason === '' ? ` with exit code ${code}. Does it call process.exit?` : reason
        const message = `the thread of classifier ${this.#options.file} ended${how}`
        this.#death ??= new RowmillError('CLASSIFIER_DIED', message, { exitCode: code })
        const { port1 } = this.#channel
        // Its last answers may still be on their way.
        for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1))
          this.#receive(last.message)
        port1.close()
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death)
        resolve()
      })
    })
  }
}

/** Packs the messages of a batch into one buffer, one after the other. */
function pack({ epoch, from, first, offset, parts }: Batch, job: Job, withJob: boolean): ThreadBatch {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { message }) => sum + message.bytes.length, 0))
  let start = 0
  const packed = parts.map(({ message: { head, bytes: part }, entry: { offset }, skip, count }) => {
    bytes.set(part, start)
    start += part.length
    return { seq: head.seq, offset, skip, count, start: start - part.length, length: part.length }
  })
  const { id, columns, indexKind, options, attempt } = job
  return {
    job: withJob ? { id, columns, indexKind, options } : null,
    head: { job: id, epoch, from, attempt, first, offset },
    parts: packed,
    bytes: bytes.buffer,
  }
}

function forward(stream: Readable, onOutput: (text: string) => void): void {
  const lines = new LineForwarder(onOutput)
  stream.on('data', (chunk: Buffer) => lines.push(chunk))
  stream.on('end', () => lines.end())
}
