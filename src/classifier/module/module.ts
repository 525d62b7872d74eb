import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker as Thread } from 'node:worker_threads'
import type { Batch } from '../../core/batcher.ts'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../../errors.ts'
import type { Job } from '../../model.ts'
import type { BatchAnswer, BatchClassifier, ClassifierJob, ClassifierRuntime } from '../boundary.ts'
import type { EncodedRows } from '../decoding.ts'
import type { ResultHead } from '../encode-results.ts'
import { LineForwarder } from '../output.ts'

export interface ThreadArguments {
  readonly file: string
  readonly name: string
  readonly by: string
  /** What the thread may take of memory, in MB; null: no limit. */
  readonly memoryMB: number | null
  /** Where batches come and answers go: the thread's own parentPort is the user's code's. */
  readonly port: MessagePort
}

/** A folder without package.json says nothing of modules: Node finds out, and the user need not hear how long it took. */
const NODE_OPTIONS = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON']
/** What waits for the thread when it is free: all of it goes over at once. */
const BATCHES_AHEAD = 8

/** A batch on its way to the thread. Several go, and come back, in one message: waking a thread takes its time. */
export interface ThreadBatch {
  /** Where it is not the job of the batch before. */
  readonly job: ClassifierJob | null
  readonly head: Omit<ResultHead, 'by' | 'classifier'>
  /** Where in `bytes` each message lies. */
  readonly parts: readonly (Omit<EncodedRows, 'bytes'> & { readonly start: number; readonly length: number })[]
  readonly bytes: ArrayBuffer
}

export type ThreadAnswer =
  | { readonly ready: Pick<ClassifierRuntime, 'versions'>; readonly fingerprint: Uint8Array }
  | { readonly results: ArrayBuffer; readonly lengths: readonly number[] }
  | { readonly error: ErrorRecord }

export interface ModuleClassifierOptions extends Omit<ThreadArguments, 'port'> {
  /** Gets what the user's code printed, whole lines with their ends. */
  readonly onOutput: (text: string) => void
}

/**
 * The user's function in TypeScript or JavaScript, in one thread of its own (module-thread.ts). Messages are copied
 * once, into a buffer that goes over to the thread; what comes back is encoded already, and goes over likewise.
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
    if (this.#outgoing.length === 0) process.nextTick(() => this.#send()) // behind all that is cut in this turn
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

  /** Resolves when the thread is gone and every call that waited for it has been told. */
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
        // What it said at last may still be on its way.
        for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1))
          this.#receive(last.message)
        port1.close()
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death)
        resolve()
      })
    })
  }
}

/** The batch with its messages one behind the other in one buffer. */
function pack({ epoch, from, first, offset, parts }: Batch, job: Job, withJob: boolean): ThreadBatch {
  const bytes = new Uint8Array(parts.reduce((sum, { message }) => sum + message.bytes.length, 0))
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
