/** What a worker does with one message of `rows` or `bulk`: the only place that decides it. */
import type { Batcher, RowsMessage } from '../core/batcher.ts'
import { hasFailed } from '../core/job.ts'
import { misplacement, placeOf } from '../core/sequence.ts'
import { type Barrier, barrierOf, type EndOfInput, type Job, type RowsHead } from '../model.ts'
import { decodeJsonRow, isJson, type JsonRow } from '../wire/json-rows.ts'
import { decodeHead } from '../wire/rows-head.ts'
import { unsequencedRow } from './unsequenced-row.ts'

/** The content of a message: a record, the values of its rows not decoded yet, or a row in JSON. */
export type Content = ReturnType<typeof decodeHead> | { readonly kind: 'json'; readonly value: JsonRow }

/** A message and where it was read. */
export interface Arrived {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Buffer
  readonly content: Content
}

/** What a worker knows when a message arrives. */
export interface Knowledge {
  /** The job with this id as `jobs` has it so far; undefined: no record of it was read, or messages of it wait. */
  findJob(id: string): Job | undefined
  /** Whether the worker gave this attempt of the job up. */
  gaveUp(job: Job): boolean
  /** The job that this membership serves alone, in an attempt after the first; null: the first attempts of all jobs. */
  readonly reopened: Job | null
  /** What the partition has so far: the next rows and the end of a job must agree with it. */
  readonly batcher: Pick<Batcher, 'flawOfRows' | 'flawOfEnd'>
}

export type Verdict =
  /** Nothing for this worker: its offset may be committed. */
  | { readonly action: 'pass' }
  /** It belongs to no place of a job: a copy goes to `rejects`. */
  | { readonly action: 'reject'; readonly why: string }
  /** Its job contradicts itself, so nobody knows what the output is. */
  | { readonly action: 'fail'; readonly job: Job; readonly why: string }
  /** No record of its job was read so far. */
  | { readonly action: 'wait'; readonly id: string }
  /** Rows to classify, from this position of the partition on. */
  | { readonly action: 'rows'; readonly rows: RowsMessage; readonly position: number }
  | { readonly action: 'end'; readonly end: EndOfInput }
  | { readonly action: 'barrier'; readonly barrier: Barrier }

const PASS: Verdict = { action: 'pass' }

/** Reads the content of a message. Throws ROW_MALFORMED if it holds nothing that a worker can read. */
export function readContent(value: Buffer | null): Content {
  return isJson(value) ? { kind: 'json', value: decodeJsonRow(value) } : decodeHead(value)
}

/** Decides about one message. Changes nothing. Throws what `findJob` throws. */
export function admit(arrived: Arrived, knowledge: Knowledge): Verdict {
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

/** Rows with a number, and the messages that end them or fence an older producer off. */
function admitSequenced({ content, value, partition }: Arrived, job: Job, { batcher }: Knowledge): Verdict {
  if (content.kind === 'end') {
    const flaw = batcher.flawOfEnd(content.value)
    return flaw === null ? { action: 'end', end: content.value } : { action: 'fail', job, why: flaw }
  }
  if (content.kind !== 'rows') {
    return reject(
      `job ${job.id} numbers its rows, and a row in JSON has no number: publish it to a job of rowmill jobs open`,
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

/** A row whose place is the offset at which it arrived: one in each message, in JSON or as a rows message. */
function admitUnsequenced({ content, offset, value }: Arrived, job: Job): Verdict {
  if (content.kind === 'end') return reject(`job ${job.id} has no end: its rows have no numbers`)
  if (content.kind === 'rows' && (content.value.seq !== null || content.value.count !== 1)) {
    const { count, seq } = content.value
    return reject(`a message of job ${job.id} holds one row without a seq, this one ${count} from ${seq} on`)
  }
  const rows = unsequencedRow(job, content.kind === 'json' ? (content.value as JsonRow) : value)
  return { action: 'rows', rows, position: offset }
}

function reject(why: string): Verdict {
  return { action: 'reject', why }
}

/** Whether rows of the job, as it is now, are to be classified by a membership. */
function isServed({ id, attempt }: Job, reopened: Job | null): boolean {
  return reopened === null ? attempt === 0 : id === reopened.id && attempt === reopened.attempt
}

/** Why a message here cannot be one of this job, or null. Rows without a sequence come in any partition. */
function misplacedIn({ topic, partition }: { topic: string; partition: number }, job: Job): string | null {
  if (topic !== job.topic) return `rows of job ${job.id} belong in ${job.topic}`
  return partition < job.partitions || !job.sequenced ? null : `job ${job.id} has ${job.partitions} partitions`
}

/** Why these rows cannot be rows of this job in this partition, or null. */
function flawOf({ seq, count }: RowsHead, job: Job, partition: number): string | null {
  return seq === null ? 'rows without a seq in a sequenced job' : misplacement(seq, count, { partition, layout: job })
}
