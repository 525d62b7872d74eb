/** Decides what a worker does with one message of `rows` or `bulk`. No other place decides it. */
import type { Batcher, RowsMessage } from '../core/batcher.ts'
import { hasFailed } from '../core/job.ts'
import { misplacement, placeOf } from '../core/sequence.ts'
import { type Barrier, barrierOf, type EndOfInput, type Job, type RowsHead } from '../model.ts'
import { decodeJsonRow, isJson, type JsonRow } from '../wire/json-rows.ts'
import { decodeHead } from '../wire/rows-head.ts'
import { unsequencedRow } from './unsequenced-row.ts'

/** The content of a message: a row in JSON, or a record whose rows are not decoded yet. */
export type MessageContent = ReturnType<typeof decodeHead> | { readonly kind: 'json'; readonly value: JsonRow }

/** A message and where it was read from. */
export interface ReceivedMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Buffer
  readonly content: MessageContent
}

/** What a worker knows when a message arrives. */
export interface Knowledge {
  /** The job with this id, as far as `jobs` was read. Undefined if no record of it was read, or messages of it wait. */
  findJob(id: string): Job | undefined
  /** Whether the worker gave up on this attempt of the job. */
  gaveUp(job: Job): boolean
  /** The job that this membership serves, in a later attempt. Null if it serves the first attempts of all jobs. */
  readonly reopened: Job | null
  /** What the partition holds so far. The next rows and the end of a job must agree with it. */
  readonly batcher: Pick<Batcher, 'flawOfRows' | 'flawOfEnd'>
}

export type Verdict =
  /** This worker has nothing to do with it: its offset may be committed. */
  | { readonly action: 'pass' }
  /** It fits no job: a copy goes to `rejects`. */
  | { readonly action: 'reject'; readonly why: string }
  /** Its job contradicts itself, so its output is undefined. */
  | { readonly action: 'fail'; readonly job: Job; readonly why: string }
  /** No record of its job was read yet. */
  | { readonly action: 'wait'; readonly id: string }
  /** Rows to classify. The first one has this position in the partition. */
  | { readonly action: 'rows'; readonly rows: RowsMessage; readonly position: number }
  | { readonly action: 'end'; readonly end: EndOfInput }
  | { readonly action: 'barrier'; readonly barrier: Barrier }

const PASS: Verdict = { action: 'pass' }

/** Reads the content of a message. Throws ROW_MALFORMED if it holds nothing that a worker can read. */
export function readContent(value: Buffer | null): MessageContent {
  return isJson(value) ? { kind: 'json', value: decodeJsonRow(value) } : decodeHead(value)
}

/** Decides about one message, and changes nothing. Throws what `findJob` throws. */
export function admit(arrived: ReceivedMessage, knowledge: Knowledge): Verdict {
  const { content, topic } = arrived
  const { reopened } = knowledge
  if (reopened && (!('job' in content.value) || content.value.job !== reopened.id)) return PASS
  if (content.kind !== 'rows' && content.kind !== 'end' && content.kind !== 'json') {
    return reject(`a ${content.kind} record does not belong in ${topic}`)
  }
  const { job: id } = content.value
  const job = knowledge.findJob(id)
  if (!job) return { action: 'wait', id }
  if (!isServed(job, reopened) || hasFailed(job) || knowledge.gaveUp(job)) return PASS
  const misplaced = misplacedIn(arrived, job)
  if (misplaced !== null) return reject(misplaced)
  return job.sequenced ? admitSequenced(arrived, job, knowledge) : admitUnsequenced(arrived, job)
}

/** Admits numbered rows, ends of input, and barriers that fence off an older producer. */
function admitSequenced({ content, value, partition }: ReceivedMessage, job: Job, { batcher }: Knowledge): Verdict {
  if (content.kind === 'end') {
    const flaw = batcher.flawOfEnd(content.value)
    return flaw === null ? { action: 'end', end: content.value } : { action: 'fail', job, why: flaw }
  }
  if (content.kind !== 'rows') {
    return reject(
      `job ${job.id} has numbered rows, and a row in JSON has no number: send it to a job opened by rowmill jobs open`,
    )
  }
  const head = content.value
  const barrier = barrierOf(head)
  if (barrier) return { action: 'barrier', barrier }
  const flaw = flawOf(head, job, partition)
  if (flaw !== null) return reject(flaw)
  const { position } = placeOf(head.seq!, job)
  const contradiction = batcher.flawOfRows(head, position)
  if (contradiction !== null) return { action: 'fail', job, why: contradiction }
  return { action: 'rows', rows: { head, bytes: value }, position }
}

/** Admits a row without a number: one in each message, in JSON or as a rows message. Its position is its offset. */
function admitUnsequenced({ content, offset, value }: ReceivedMessage, job: Job): Verdict {
  if (content.kind === 'end') return reject(`job ${job.id} has no end: its rows have no numbers`)
  if (content.kind === 'rows' && (content.value.seq !== null || content.value.count !== 1)) {
    const { count, seq } = content.value
    return reject(`a message of job ${job.id} holds one row without a seq, but this one holds ${count} from ${seq} on`)
  }
  const rows = unsequencedRow(job, content.kind === 'json' ? (content.value as JsonRow) : value)
  return { action: 'rows', rows, position: offset }
}

function reject(why: string): Verdict {
  return { action: 'reject', why }
}

/** Whether a membership classifies rows of the job, given the job's latest attempt. */
function isServed({ id, attempt }: Job, reopened: Job | null): boolean {
  return reopened === null ? attempt === 0 : id === reopened.id && attempt === reopened.attempt
}

/** Why a message of this job cannot be here, or null. Rows without a sequence may be in any partition. */
function misplacedIn({ topic, partition }: { topic: string; partition: number }, job: Job): string | null {
  if (topic !== job.topic) return `rows of job ${job.id} belong in ${job.topic}`
  return partition < job.partitions || !job.sequenced ? null : `job ${job.id} has ${job.partitions} partitions`
}

/** Why these rows of the job cannot be in this partition, or null. */
function flawOf({ seq, count }: RowsHead, job: Job, partition: number): string | null {
  return seq === null ? 'rows without a seq in a sequenced job' : misplacement(seq, count, { partition, layout: job })
}
