import { ArrivalOrder } from '../core/arrival-order.ts'
import type { Attempt } from '../core/job.ts'
import { Reassembler } from '../core/reassembler.ts'
import type { ArrivalCheckpoint, ReadCheckpoint, RowOrder, SequenceCheckpoint } from '../core/row-order.ts'
import { rowsInPartition } from '../core/sequence.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { findFirstRow } from './first-row.ts'
import { LossWatch } from './loss-watch.ts'
import type { ResultReader } from './result-reader.ts'

export interface OrderStart {
  readonly reader: ResultReader
  readonly attempts: readonly Attempt[]
  /** Where to resume, or null. */
  readonly checkpoint: ReadCheckpoint | null
  /** Without a checkpoint: the offsets of new results only, or null to start with the first row. */
  readonly now: readonly number[] | null
  readonly lookEveryMs: number | undefined
}

const NOTHING = { rows: 0, rejects: 0, duplicates: 0 }

/** Starts the reader, and returns the order in which the rows of the job are handed out from there. */
export function openOrder(context: PipelineContext, job: Job, start: OrderStart): Promise<RowOrder> {
  return job.sequenced ? openSequence(context, job, start) : openArrivals(job, start)
}

async function openArrivals(job: Job, { reader, checkpoint, now }: OrderStart): Promise<RowOrder> {
  const first = { counts: NOTHING, offsets: now ?? (await leftOf(job, reader)), highest: reader.from.map(() => -1) }
  const at = isOfArrivals(checkpoint) ? extend(checkpoint, await reader.bounds('start')) : first
  await reader.read([{ attempt: job.attempt, resultsFrom: at.offsets }], at.highest)
  return new ArrivalOrder(job.id, at)
}

/**
 * A checkpoint has one offset for each partition. So with several attempts, all are read from their start, and the rows
 * that were handed out before are skipped.
 */
async function openSequence(context: PipelineContext, job: Job, start: OrderStart): Promise<RowOrder> {
  const { reader, attempts, checkpoint } = start
  const left = checkpoint === null && !job.bounded ? await leftOf(job, reader) : job.resultsFrom
  const at = isOfSequence(checkpoint) ? checkpoint : { seq: 0, counts: NOTHING, offsets: left }
  const next = at.offsets.map((_, partition) => rowsInPartition(partition, at.seq, job))
  await reader.read(attempts.length === 1 ? [{ attempt: job.attempt, resultsFrom: at.offsets }] : attempts, next)
  if (left.every((offset, partition) => offset === job.resultsFrom[partition])) return new Reassembler(job.id, job, at)
  return new Reassembler(job.id, job, await startLater(context, job, { ...start, left }))
}

function isOfArrivals(checkpoint: ReadCheckpoint | null): checkpoint is ArrivalCheckpoint {
  return checkpoint !== null && !('seq' in checkpoint)
}

function isOfSequence(checkpoint: ReadCheckpoint | null): checkpoint is SequenceCheckpoint {
  return checkpoint !== null && 'seq' in checkpoint
}

/** A partition that has no results left, and gets no more, ends the search through the LossWatch. */
async function startLater(
  context: PipelineContext,
  job: Job,
  { reader, left, lookEveryMs }: OrderStart & { readonly left: readonly number[] },
): Promise<SequenceCheckpoint> {
  let partition = 0
  const seek = (sought: number) => {
    partition = sought
  }
  const wanted = () => ({ partition, offset: reader.offset(partition), row: 0 })
  const watch = new LossWatch(context, { job, lookEveryMs, wanted, lost: error => reader.interrupt(error) })
  try {
    const first = await findFirstRow(job, left, { reader, seek })
    if (first.seq > 0)
      context.say(
        `job ${job.id}: retention has deleted the results of its first rows: starting with row ${first.seq}`,
        {
          level: 'warn',
          job: job.id,
        },
      )
    return first
  } finally {
    await watch.close()
  }
}

/** For each partition, the offset of the first result of the job that retention has left. */
async function leftOf(job: Job, reader: ResultReader): Promise<number[]> {
  const starts = await reader.bounds('start')
  return starts.map((start, partition) => Math.max(job.resultsFrom[partition] ?? 0, start))
}

/** The same checkpoint if `results` has more partitions by now: the new ones are read from their start. */
function extend({ counts, offsets, highest }: ArrivalCheckpoint, starts: readonly number[]): ArrivalCheckpoint {
  const added = starts.slice(offsets.length)
  return { counts, offsets: [...offsets, ...added], highest: [...highest, ...added.map(() => -1)] }
}
