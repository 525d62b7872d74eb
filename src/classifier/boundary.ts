import type { Batch } from '../core/batcher.ts'
import type { Job, JobOption, Kind, Rejected, Values } from '../model.ts'

/** What a classifier must know of a job to parse its rows as the old one-process job parsed them. */
export interface ClassifierJob {
  readonly id: string
  readonly columns: readonly string[]
  readonly indexKind: string | null
  readonly options: readonly JobOption[]
}

/** The rows of one call. A batch holds consecutive positions; their seqs jump where one block ends. */
export interface ClassifierBatch {
  readonly job: ClassifierJob
  readonly rows: readonly Values[]
  /** The seq of each row, or null in a job without sequence. As many as rows. */
  readonly seqs: readonly number[] | null
}

/** What the classifier made of a batch: one output row for each row, in order. */
export interface ClassifiedBatch {
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  readonly rows: readonly Values[]
}

/** What a classifier runs under. */
export interface ClassifierRuntime {
  /** By name, for reports: `{ python: '3.11.7', pandas: '3.1.1' }`. */
  readonly versions: Readonly<Record<string, string>>
  /** Whether its csv module quotes a cell for a lone carriage return: newer Pythons do, and so must the sink. */
  readonly quotesCarriageReturn: boolean
}

/**
 * The user's function behind a boundary, over decoded rows.
 *
 * `start` resolves when the function is imported and warm, at every further call too; it throws PYTHON_UNUSABLE,
 * CLASSIFIER_NOT_FOUND or CLASSIFIER_UNLOADABLE. `classify` may be called again before the last call is answered: calls
 * are answered in order, and the next batch waits in the boundary's own buffer so that the function never idles. It
 * throws CLASSIFIER_FAILED (the function raised: message with the user's own frames), CLASSIFIER_CONTRACT (wrong number
 * or order of rows, not a frame) or CLASSIFIER_DIED; after CLASSIFIER_DIED every later call throws the same.
 * `close` ends the boundary at once, whatever it is doing, and resolves when nothing of it is left. Twice is fine.
 */
export interface RowsClassifier {
  start(): Promise<void>
  /** 8 bytes over the function's file and what it runs under. Known after `start`, as is `runtime`. */
  readonly fingerprint: Uint8Array
  readonly runtime: ClassifierRuntime
  classify(batch: ClassifierBatch): Promise<ClassifiedBatch>
  close(): Promise<void>
}

/**
 * What a worker drives: batches of undecoded messages in, result messages out. Whether they are decoded here
 * (decoding.ts, around a RowsClassifier) or in a thread (module.ts) is its own affair; else as RowsClassifier.
 */
export interface BatchClassifier extends Pick<RowsClassifier, 'start' | 'fingerprint' | 'runtime' | 'close'> {
  /** How many batches it takes before the first is answered, so that it never idles. */
  readonly ahead: number
  classify(batch: Batch, job: Job): Promise<BatchAnswer>
}

/** What became of a batch. */
export interface BatchAnswer {
  /** The messages for `results`, in order. Their buffers are the caller's. */
  readonly results: readonly Buffer[]
  /** The rows among them that have no result, for the topic `rejects`. */
  readonly rejected: readonly Rejected[]
}
