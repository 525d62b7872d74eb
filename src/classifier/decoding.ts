import type { Batch } from '../core/batcher.ts'
import type { Job, Values } from '../model.ts'
import { decodeValues } from '../wire/codec.ts'
import type { BatchClassifier, ClassifiedBatch, ClassifierBatch, ClassifierJob, RowsClassifier } from './boundary.ts'
import { encodeResults, type ResultHead } from './encode-results.ts'

/** One batch in the function, the next one waiting in its pipe. */
const BATCHES_AHEAD = 2

/** Rows of a batch that lie in one message: `count` of them behind its first `skip`. */
export interface EncodedRows {
  readonly bytes: Uint8Array
  /** The seq of the message's first row; null where rows have none. */
  readonly seq: number | null
  readonly offset: number
  readonly skip: number
  readonly count: number
}

/** A batch as messages: what every host of a classifier decodes, classifies and encodes. */
export interface EncodedBatch {
  readonly job: ClassifierJob
  readonly head: ResultHead
  readonly parts: readonly EncodedRows[]
}

/** One batch from messages to messages: decode, classify, encode. */
export async function classifyEncoded(
  { job, head, parts }: EncodedBatch,
  classify: (batch: ClassifierBatch) => Promise<ClassifiedBatch>,
): Promise<Buffer[]> {
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

/** What the results of this batch say beside their rows. */
export function resultHead(batch: Batch, job: Job, maker: Pick<ResultHead, 'by' | 'classifier'>): ResultHead {
  const { epoch, from, first, offset } = batch
  return { job: job.id, epoch, from, attempt: job.attempt, first, offset, ...maker }
}

/** A classifier of rows that gets its batches decoded here, on the event loop: its own work is done elsewhere. */
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
