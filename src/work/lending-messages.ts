import type { BatchAnswer } from '../classifier/boundary.ts'
import type { Batch, RowsMessage } from '../core/batcher.ts'
import type { TopicPartition } from '../kafka/index.ts'
import type { Rejected } from '../model.ts'

/** What a worker tells the desk of its supervisor (lending-desk.ts). The owner of a batch is the worker that cut it. */
export type ToDesk =
  /** My classifier takes one more batch, and no rows of mine wait. It is free in about so many ms. */
  | { readonly type: 'spare'; readonly inMs: number }
  /** My classifier is busy and rows wait. It holds until `unneeded`. */
  | { readonly type: 'needs' }
  | { readonly type: 'unneeded'; readonly lender: number }
  /** An owner gives a batch to a lender that it was offered. */
  | { readonly type: 'lend'; readonly lender: number; readonly id: number; readonly batch: PackedBatch }
  /** A lender answers. Null: the owner must classify the batch itself. */
  | { readonly type: 'answered'; readonly id: number; readonly answer: PackedAnswer | null }

const TO_DESK: readonly string[] = ['spare', 'needs', 'unneeded', 'lend', 'answered'] satisfies ToDesk['type'][]

export function isToDesk(message: { readonly type: string }): message is ToDesk {
  return TO_DESK.includes(message.type)
}

/** What the desk tells a worker. */
export type FromDesk =
  /** The owner may give this lender one batch. */
  | { readonly type: 'lender'; readonly lender: number; readonly inMs: number }
  /** The lender is to classify a batch. */
  | { readonly type: 'lent'; readonly id: number; readonly batch: PackedBatch }
  /** The owner gets an answer, or null. */
  | { readonly type: 'answer'; readonly id: number; readonly answer: PackedAnswer | null }

/** A batch as JSON. Its job is known to every worker of the pipeline from `jobs`, so it is not sent. */
export interface PackedBatch extends Pick<Batch, 'job' | 'epoch' | 'from' | 'first' | 'offset' | 'count'> {
  readonly attempt: number
  /** The partition of its owner that it is from. */
  readonly at: TopicPartition
  readonly parts: readonly (Omit<RowsMessage, 'bytes'> & {
    readonly offset: number
    readonly skip: number
    readonly count: number
    /** The message in base64. */
    readonly bytes: string
  })[]
}

export interface PackedAnswer {
  /** How long the lender's classifier took. */
  readonly ms: number
  /** In base64. */
  readonly results: readonly string[]
  readonly rejected: readonly Rejected[]
}

export function packBatch(
  { kind: _, parts, ...batch }: Batch,
  { attempt, at: { topic, partition } }: Pick<PackedBatch, 'attempt' | 'at'>,
): PackedBatch {
  return {
    ...batch,
    attempt,
    at: { topic, partition },
    parts: parts.map(({ entry: { offset }, message, skip, count }) => {
      return { ...message, bytes: toText(message.bytes), offset, skip, count }
    }),
  }
}

export function unpackBatch({ attempt: _, at: __, parts, ...batch }: PackedBatch): Batch {
  const { job, first } = batch
  return {
    kind: 'batch',
    ...batch,
    parts: parts.map(({ offset, skip, count, bytes, ...message }) => {
      const rows = { ...message, bytes: Buffer.from(bytes, 'base64') }
      const of = { forwarded: null, position: first, count, cut: count, open: count }
      return { entry: { offset, job, rows, ...of }, message: rows, skip, count }
    }),
  }
}

export function packAnswer({ results, rejected }: BatchAnswer, ms: number): PackedAnswer {
  return { ms, results: results.map(toText), rejected }
}

export function unpackAnswer({ results, rejected }: PackedAnswer): BatchAnswer {
  return { results: results.map(text => Buffer.from(text, 'base64')), rejected }
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}
