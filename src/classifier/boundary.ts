import type { Batch } from '../core/batcher.ts'
import type { Job, JobOption, Kind, Rejected, Values } from '../model.ts'

/** What a classifier must know about a job to parse its rows as the original job parsed them. */
export interface ClassifierJob {
  readonly id: string
  readonly columns: readonly string[]
  readonly indexKind: string | null
  readonly options: readonly JobOption[]
}

/** The rows of one call. A batch holds consecutive positions. Their seqs jump at the end of a block. */
export interface ClassifierBatch {
  readonly job: ClassifierJob
  readonly rows: readonly Values[]
  /** The seq of each row, or null in a job without sequence. As many as rows. */
  readonly seqs: readonly number[] | null
}

/** The output for a batch: one output row for each row, in order, unless `outputs` says otherwise. */
export interface ClassifiedBatch {
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  /** For each row, the number of its output rows. Missing: each has one. */
  readonly outputs?: readonly number[]
  readonly rows: readonly Values[]
}

/** The environment of a classifier. */
export interface ClassifierRuntime {
  /** By name, for reports: `{ python: '3.11.7', pandas: '3.1.1' }`. */
  readonly versions: Readonly<Record<string, string>>
  /** Whether its csv module quotes a cell because of a lone carriage return, as newer Pythons do. The sink does the same. */
  readonly quotesCarriageReturn: boolean
}

/**
 * The user's function in its own process or thread, called with decoded rows.
 *
 * `start` resolves when the function is imported and ready. It may be called again. It throws PYTHON_UNUSABLE,
 * CLASSIFIER_NOT_FOUND or CLASSIFIER_UNLOADABLE.
 *
 * `classify` may be called before the previous call is answered, so that the function never idles. Answers come in order.
 * It throws CLASSIFIER_FAILED (the function raised; the message has the lines of the user's own code), CLASSIFIER_CONTRACT (wrong
 * number or order of rows, or not a DataFrame) or CLASSIFIER_DIED. After CLASSIFIER_DIED every later call throws the same.
 *
 * `close` ends the process or thread at once, and resolves when it is gone. It may be called more than once.
 */
export interface RowsClassifier {
  start(): Promise<void>
  /** 8 bytes of a digest of the function's file and its environment. Known after `start`, like `runtime`. */
  readonly fingerprint: Uint8Array
  readonly runtime: ClassifierRuntime
  classify(batch: ClassifierBatch): Promise<ClassifiedBatch>
  close(): Promise<void>
}

/**
 * The classifier as a worker uses it: batches of undecoded messages in, result messages out. decoding.ts decodes them
 * here, around a RowsClassifier; module.ts decodes them in its thread. Otherwise it behaves like RowsClassifier.
 */
export interface BatchClassifier extends Pick<RowsClassifier, 'start' | 'fingerprint' | 'runtime' | 'close'> {
  /** How many batches to send before the first answer, so that the classifier never idles. */
  readonly ahead: number
  classify(batch: Batch, job: Job): Promise<BatchAnswer>
}

/** The answer to a batch. */
export interface BatchAnswer {
  /** The messages for `results`, in order. The caller owns their buffers. */
  readonly results: readonly Buffer<ArrayBuffer>[]
  /** The rows of the batch that have no result, for the topic `rejects`. */
  readonly rejected: readonly Rejected[]
}
