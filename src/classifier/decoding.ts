import type { Batch } from '../core/batcher.ts'
import type { Job, Values } from '../model.ts'
import { decodeValues } from '../wire/codec.ts'
import type { BatchClassifier, ClassifiedBatch, ClassifierBatch, ClassifierJob, RowsClassifier } from './boundary.ts'
import { encodeResults, type ResultHead } from './encode-results.ts'

/** One batch in the function, and the next one waiting in its pipe. */
const BATCHES_AHEAD = 2

/** The rows of a batch that are in one message: `count` rows after the first `skip`. */
export interface EncodedRows {
  readonly bytes: Uint8Array
  /** The seq of the first row of the message, or null if rows have none. */
  readonly seq: number | null
  readonly offset: number
  readonly skip: number
  readonly count: number
}

/** A batch as messages. Each host of a classifier decodes it, classifies it and encodes the results. */
export interface EncodedBatch {
  readonly job: ClassifierJob
  readonly head: ResultHead
  readonly parts: readonly EncodedRows[]
}

/** Turns the messages of one batch into result messages: decode, classify, encode. */
export async function classifyEncoded(
  { job, head, parts }: EncodedBatch,
  classify: (batch: ClassifierBatch) => Promise<ClassifiedBatch>,
): Promise<Buffer<ArrayBuffer>[]> {
  const rows: Values[] = []
  const seqs: number[] = []
  for (const { bytes, seq, skip, count } of parts) {
    const values = decodeValues(bytes)
    for (let i = skip; i < skip + count; i++) {
      rows.push(values[i]!)
      if (seq !== null) seqs.push(seq + i)
    }
  }
  const unsequenced = parts.length > 0 && parts[0]!.seq === null
  const classified = await classify({ job, rows, seqs: unsequenced ? null : seqs })
  return encodeResults(head, classified, unsequenced ? parts.map(({ offset }) => offset) : null)
}

/** The fields of the results of a batch, except their rows. */
export function resultHead(batch: Batch, job: Job, maker: Pick<ResultHead, 'by' | 'classifier'>): ResultHead {
  const { epoch, from, first, offset } = batch
  return { job: job.id, epoch, from, attempt: job.attempt, first, offset, ...maker }
}

/** Wraps a classifier of rows: batches are decoded here, on the event loop, since the classifier runs elsewhere. */
export function decoding(classifier: RowsClassifier, by: string): BatchClassifier {
  return {
    ahead: BATCHES_AHEAD,
    start: () => classifier.start(),
    get runtime() {
      return classifier.runtime
    },
    get fingerprint() {
      return classifier.fingerprint
    },
    classify: async (batch, job) => {
      const head = resultHead(batch, job, { by, classifier: classifier.fingerprint })
      const parts = batch.parts.map(({ message: { head, bytes }, entry: { offset }, skip, count }) => ({
        bytes,
        skip,
        count,
        offset,
        seq: head.seq,
      }))
      return { results: await classifyEncoded({ job, head, parts }, rows => classifier.classify(rows)), rejected: [] }
    },
    close: () => classifier.close(),
  }
}
