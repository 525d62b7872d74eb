import { batchDependent } from '../core/batch-dependent.ts'
import type { Batch, Part } from '../core/batcher.ts'
import { lineOf } from '../core/describe-batch.ts'
import { type ErrorCode, RowmillError } from '../errors.ts'
import type { Job, Rejected, Values } from '../model.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { decodeValues, encodeResult, MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import { rowBytes } from '../wire/packed-rows.ts'
import type { BatchAnswer, BatchClassifier, ClassifierRuntime } from './boundary.ts'
import { resultHead } from './decoding.ts'
import { ROOM_BYTES } from './encode-results.ts'

/** Errors that a row may have caused. Any other error would happen to every batch. */
const BY_ROWS: readonly ErrorCode[] = [
  'CLASSIFIER_FAILED',
  'CLASSIFIER_CONTRACT',
  'CLASSIFIER_DIED',
  'CLASSIFIER_TIMEOUT',
  'ROW_MALFORMED',
]
/** Errors that may be bad luck: we retry before we blame a row. */
const BY_CHANCE: readonly ErrorCode[] = ['CLASSIFIER_DIED', 'CLASSIFIER_TIMEOUT']
/** Errors that depend on the rows alone, not on time or memory. */
const BY_CONTENT: readonly ErrorCode[] = ['CLASSIFIER_FAILED', 'CLASSIFIER_CONTRACT']
const RETRIES = 2
/** How many characters of the reason a reject keeps: a traceback may be of any length. */
const DETAIL_CHARS = 16_000

export interface IsolatingOptions {
  /** Creates the classifier, at first and each time after it ended. */
  readonly open: () => BatchClassifier
  /** How long one call may take, in ms. Null: no limit. */
  readonly timeoutMs: number | null
  /** The name of the worker. */
  readonly by: string
  /** How many bytes a result may take in its topic, and in that of rejects. Default: as many as rowmill's topics take. */
  readonly mostBytes?: () => number
  /** Logs why a classifier ended. */
  readonly say: Say
  /** Called each time that it is started again, with the code of the reason. */
  readonly onRestart?: (code: ErrorCode) => void
  /**
   * Called with a batch that the classifier refused (it threw or broke its contract), although it accepts each row of it in
   * smaller batches: its result for a row depends on neighbouring rows. If such batches are nested, it is called for each,
   * the smallest first.
   */
  readonly onRefusedTogether?: (batch: Batch, error: RowmillError) => void
  /**
   * Whether such a batch of a job of files ends the job with BATCH_DEPENDENT, if it broke the contract twice. A function that
   * sorts or drops duplicates would write other bytes than the original job. Default: no.
   */
  readonly endsIfRefusedTogether?: boolean
  /** Default: real time. */
  readonly time?: Time
}

/**
 * Gives every row a result or rejects it. If the classifier throws or breaks its contract, the batch is halved until each
 * bad row is alone. If the classifier dies or takes too long, it is started again and the batch is retried twice before it
 * is halved too. Meanwhile no other batch is in the classifier, or it could be blamed for somebody else's row.
 */
export class IsolatingClassifier implements BatchClassifier {
  readonly #options: IsolatingOptions
  #classifier: BatchClassifier
  /** The current calls, oldest first. */
  readonly #calls: Call[] = []
  #alone: Promise<unknown> = Promise.resolve()
  #inTrouble = 0
  #settled = Promise.withResolvers<void>()
  #fingerprint: Uint8Array = new Uint8Array()
  #closed = false

  constructor(options: IsolatingOptions) {
    this.#options = options
    this.#classifier = options.open()
  }

  get ahead(): number {
    return this.#classifier.ahead
  }

  get runtime(): ClassifierRuntime {
    return this.#classifier.runtime
  }

  get fingerprint(): Uint8Array {
    return this.#fingerprint
  }

  async start(): Promise<void> {
    const classifier = this.#classifier
    await classifier.start()
    this.#fingerprint = classifier.fingerprint
  }

  async classify(batch: Batch, job: Job): Promise<BatchAnswer> {
    const refusal = batch.parts[0]?.message.refusal
    if (refusal) return this.#reject(batch, job, refusal)
    while (this.#inTrouble > 0) await this.#alone
    try {
      return await this.#call(batch, job)
    } catch (error) {
      if (this.#closed || !isOneOf(BY_ROWS, error)) throw error
      this.#inTrouble++
      const isolated = this.#alone.then(async () => {
        while (this.#calls.length > 0) await this.#settled.promise
        return await this.#isolate(batch, job, error)
      })
      this.#alone = isolated.catch(() => {}).finally(() => this.#inTrouble--)
      return await isolated
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { stopClock } of this.#calls) stopClock?.()
    await this.#classifier.close()
  }

  async #isolate(batch: Batch, job: Job, first: RowmillError, retries = RETRIES): Promise<BatchAnswer> {
    let error = first
    for (let tries = 0; tries < retries && isOneOf(BY_CHANCE, error); tries++) {
      const again = await this.#try(batch, job)
      if (!(again instanceof RowmillError)) return again
      error = again
    }
    if (batch.count === 0) throw error
    if (batch.count === 1) return this.#reject(batch, job, { reason: error.code, detail: error.message })
    const answers: BatchAnswer[] = []
    for (const half of halve(batch)) {
      const answer = await this.#try(half, job)
      if (!(answer instanceof RowmillError)) answers.push(answer)
      // A single row gets every retry. For a larger half one try is enough to know whether to look into it.
      else answers.push(await this.#isolate(half, job, answer, half.count === 1 ? RETRIES : 0))
    }
    const rejected = answers.flatMap(({ rejected }) => rejected)
    const isByContent = isOneOf(BY_CONTENT, error) && !isTooLong(error)
    if (rejected.length === 0 && isByContent) await this.#refusedTogether(batch, job, error)
    return { results: answers.flatMap(({ results }) => results), rejected }
  }

  async #refusedTogether(batch: Batch, job: Job, error: RowmillError): Promise<void> {
    const { onRefusedTogether, endsIfRefusedTogether = false } = this.#options
    onRefusedTogether?.(batch, error)
    if (!endsIfRefusedTogether || !job.bounded || error.code !== 'CLASSIFIER_CONTRACT') return
    const again = await this.#try(batch, job)
    if (!(again instanceof RowmillError) || again.code !== error.code) return
    const reason = error.message.split('\n', 1)[0]!.replace(/\.$/, '')
    throw batchDependent(`all together: ${reason}. In smaller batches each of them has a result`)
  }

  /** Returns the results, or the error that the rows caused. */
  async #try(batch: Batch, job: Job): Promise<BatchAnswer | RowmillError> {
    try {
      return await this.#call(batch, job)
    } catch (error) {
      if (this.#closed || !isOneOf(BY_ROWS, error)) throw error
      return error
    }
  }

  async #call(batch: Batch, job: Job): Promise<BatchAnswer> {
    const classifier = this.#classifier
    const call: Call = { classifier, job: job.id, timedOut: false }
    this.#calls.push(call)
    try {
      await classifier.start()
      this.#fingerprint = classifier.fingerprint
      call.started = true
      if (this.#calls[0] === call) this.#wind(call)
      const answer = await classifier.classify(batch, job)
      this.#checkSize(answer)
      return answer
    } catch (error) {
      if (!isOneOf(BY_CHANCE, error)) throw error
      await this.#replace(classifier, error)
      throw call.timedOut ? this.#tooLong() : error
    } finally {
      call.stopClock?.()
      this.#calls.splice(this.#calls.indexOf(call), 1)
      if (this.#calls[0]) this.#wind(this.#calls[0])
      this.#settled.resolve()
      this.#settled = Promise.withResolvers<void>()
    }
  }

  /** Starts the clock of the call that will be answered next. */
  #wind(call: Call): void {
    const { timeoutMs, time = realTime } = this.#options
    if (timeoutMs === null || call.stopClock || !call.started || this.#closed) return
    call.stopClock = time.after(timeoutMs, () => {
      call.timedOut = true
      void call.classifier.close()
    })
  }

  /** Replaces a classifier that ended. Only the first call that notices does it. */
  async #replace(ended: BatchClassifier, error: RowmillError): Promise<void> {
    if (this.#closed || ended !== this.#classifier) return
    this.#classifier = this.#options.open()
    const { timedOut, job } = this.#calls[0]!
    const { message: why, code } = timedOut ? this.#tooLong() : error
    this.#options.say(`the classifier is started again: ${why}`, { level: 'warn', job, code })
    this.#options.onRestart?.(code)
    await ended.close()
  }

  /** Topics that others made may take less than ours. */
  #checkSize({ results }: BatchAnswer): void {
    const most = this.#mostBytes
    const bytes = Math.max(0, ...results.map(result => result.length))
    if (bytes <= most) return
    const message =
      `the result of this row takes ${bytes} bytes, and the topic of results or that of rejects takes ${most} ` +
      '(max.message.bytes). Raise it, then run rowmill rejects replay'
    throw new RowmillError('CLASSIFIER_CONTRACT', message, { bytes, most })
  }

  get #mostBytes(): number {
    return this.#options.mostBytes?.() ?? MAX_MESSAGE_BYTES
  }

  #tooLong(): RowmillError {
    const seconds = this.#options.timeoutMs! / 1000
    return new RowmillError(
      'CLASSIFIER_TIMEOUT',
      `the classifier took longer than --batch-timeout ${seconds} for a batch`,
    )
  }

  #reject(batch: Batch, job: Job, why: Pick<Rejected, 'reason' | 'detail'>): BatchAnswer {
    const head = resultHead(batch, job, { by: this.#options.by, classifier: this.#fingerprint })
    const rejected = [rejectedRow(batch.parts[0]!, why, this.#mostBytes)]
    return {
      results: [encodeResult({ ...head, count: 1, columns: [], kinds: [], rejected, outputs: null, rows: [] })],
      rejected,
    }
  }
}

interface Call {
  readonly classifier: BatchClassifier
  readonly job: string
  timedOut: boolean
  /** Whether the classifier has the batch. Its start before that may take any time. */
  started?: boolean
  stopClock?: () => void
}

/** Whether a topic takes no result of this length. That says nothing about the rows: in smaller batches they have shorter results. */
function isTooLong({ facts }: RowmillError): boolean {
  return facts['most'] !== undefined
}

function isOneOf(codes: readonly ErrorCode[], error: unknown): error is RowmillError {
  return error instanceof RowmillError && codes.includes(error.code)
}

function rejectedRow(part: Part, { reason, detail }: Pick<Rejected, 'reason' | 'detail'>, mostBytes: number): Rejected {
  const { message, skip } = part
  const { seq } = message.head
  return {
    index: 0,
    seq: seq === null ? null : seq + skip,
    line: lineOf(part, skip),
    reason,
    ...shortened(detail.slice(0, DETAIL_CHARS).toWellFormed(), decodeValues(message.bytes)[skip]!, mostBytes),
  }
}

/** A message with the longest possible row has no room for the detail too. */
function shortened(detail: string, values: Values, mostBytes: number): Pick<Rejected, 'detail' | 'values'> {
  if (rowBytes(values) <= mostBytes - ROOM_BYTES) return { detail, values }
  return { detail: `${detail}\nIts values are too long to be shown.`, values: [] }
}

/** The two halves of a batch. The first has the odd row. */
function halve(batch: Batch): [Batch, Batch] {
  const middle = Math.ceil(batch.count / 2)
  const [left, right]: [Part[], Part[]] = [[], []]
  let at = 0
  for (const part of batch.parts) {
    const here = Math.min(part.count, Math.max(0, middle - at))
    if (here > 0) left.push({ ...part, count: here })
    if (here < part.count) right.push({ ...part, skip: part.skip + here, count: part.count - here })
    at += part.count
  }
  const { offset } = right[0]!.entry
  const first = right[0]!.message.head.seq === null ? offset : batch.first + middle
  return [
    { ...batch, count: middle, parts: left },
    { ...batch, first, offset, count: batch.count - middle, parts: right },
  ]
}
