import { MAX_JOB_BYTES } from '../core/job.ts'
import { errorToRecord, RowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job, Reason } from '../model.ts'
import { encodeJob } from '../wire/codec.ts'
import type { PipelineContext } from './context.ts'
import { topicsOf } from './topic-names.ts'

/** How long one who ends tries to say why a job ends with it. */
const TELL_MS = 5000

/** Appends a record to `jobs`; resolves when it is acknowledged. Rejects with USAGE where it is too large. */
export async function appendJob(sender: PartitionSender, pipeline: string, job: Job): Promise<void> {
  const value = encodeJob(job)
  if (value.length > MAX_JOB_BYTES) {
    const { id, columns } = job
    const message =
      `job ${id}: its record takes ${value.length} bytes, and at most ${MAX_JOB_BYTES} are read. ` +
      `It has ${columns.length} columns: give fewer columns, or shorter names and options`
    throw new RowmillError('USAGE', message, { job: id, bytes: value.length })
  }
  await sender.send({ topic: topicsOf(pipeline).jobs, partition: 0 }, { key: job.id, value })
}

/** As `failJob`, with a sender of its own, for a while: where the broker or the topic is away, there is nobody to tell. */
export async function tellFailure(
  { kafka, pipeline, say }: PipelineContext,
  job: Job,
  failure: Parameters<typeof failJob>[3],
): Promise<void> {
  const sender = new PartitionSender(await kafka.producer(), say)
  const limit = setTimeout(() => void sender.close(), TELL_MS)
  try {
    await failJob(sender, pipeline, job, failure).catch(() => {})
  } finally {
    clearTimeout(limit)
    await sender.close()
  }
}

/** Says in `jobs` that the job failed, with what was thrown and where: everyone who serves it ends with that. */
export function failJob(
  sender: PartitionSender,
  pipeline: string,
  job: Job,
  failure: { error: unknown; place: string | null; by: string; state?: 'failed' | 'cancelled' },
): Promise<void> {
  const { code, message } = errorToRecord(failure.error)
  // A traceback may hold half a surrogate pair, which no UTF-8 can say.
  const reason: Reason = { code, place: failure.place, message: message.toWellFormed() }
  return appendJob(sender, pipeline, {
    ...job,
    state: failure.state ?? 'failed',
    reason,
    at: Date.now(),
    by: failure.by,
  })
}
