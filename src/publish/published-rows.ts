import { misplacement, placeOf } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { Message } from '../kafka/index.ts'
import { readNow } from '../kafka/read-now.ts'
import type { Job, RowsHead } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { decodeHead } from '../wire/rows-head.ts'

/** What one partition of the topic holds of a job. */
export interface Published {
  /** The position after the last row. */
  rows: number
  /** Whether it has the end of input. */
  ended: boolean
}

/**
 * What the topic holds of the job now, by partition. A publisher sends the rows of a partition in order, then the end
 * of input. So every row below `rows` was sent, even if retention has deleted earlier ones. Throws the reason of
 * `signal`.
 */
export async function findPublished(context: PipelineContext, job: Job): Promise<Published[]> {
  const offsets = job.rowsFrom.map((offset, partition) => ({ topic: job.topic, partition, offset }))
  const published = offsets.map(() => ({ rows: 0, ended: false }))
  await readNow(context, offsets, (partition, message) => {
    take(published[partition]!, message, { partition, job })
  })
  return published
}

function take(published: Published, message: Message, { partition, job }: { partition: number; job: Job }): void {
  const record = publishedRecord(message)
  if (record?.value.job !== job.id) return
  if (record.kind === 'end') published.ended = true
  else published.rows = Math.max(published.rows, rowsUpTo(record.value, { partition, job }))
}

/** What a publisher sent with this message. Null: an unreadable message, or one of another kind, is not from a publisher. */
export function publishedRecord({ value }: Message) {
  try {
    const record = decodeHead(value)
    return record.kind === 'rows' || record.kind === 'end' ? record : null
  } catch (error) {
    if (error instanceof RowmillError) return null
    throw error
  }
}

/** The position after these rows of a job, or 0 if they have none in this partition. */
export function rowsUpTo({ seq, count }: RowsHead, { partition, job }: { partition: number; job: Job }): number {
  if (seq === null || misplacement(seq, count, { partition, layout: job })) return 0
  return placeOf(seq, job).position + count
}
