import { misplacement, placeOf } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { Message } from '../kafka/index.ts'
import { readNow } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
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

function take(published: Published, { value }: Message, { partition, job }: { partition: number; job: Job }): void {
  let record: ReturnType<typeof decodeHead>
  try {
    record = decodeHead(value)
  } catch (error) {
    if (error instanceof RowmillError) return // an unreadable message is not from this publisher
    throw error
  }
  if ((record.kind !== 'rows' && record.kind !== 'end') || record.value.job !== job.id) return
  if (record.kind === 'end') published.ended = true
  else if (record.value.seq !== null && !misplacement(record.value.seq, record.value.count, { partition, layout: job }))
    published.rows = Math.max(published.rows, placeOf(record.value.seq, job).position + record.value.count)
}
