import { MAX_JOB_BYTES } from '../core/job.ts'
import { errorToRecord, RowmillError, toRowmillError } from '../errors.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job, Reason } from '../model.ts'
import { maskSecrets } from '../support/credentials.ts'
import { encodeJob } from '../wire/codec.ts'
import type { PipelineContext } from './context.ts'
import { topicsOf } from './topic-names.ts'

/** How long a process that ends tries to record why its job ends. */
const TELL_MS = 15_000

/** Appends a record to `jobs`. Resolves when it is acknowledged. Rejects with USAGE if it is too large. */
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

/** Like `failJob`, with its own sender. Gives up after 15 s: the broker or the topic may be unavailable. Logs why it could not. */
export async function tellFailure(
  { kafka, pipeline, say }: PipelineContext,
  job: Job,
  failure: Parameters<typeof failJob>[3],
): Promise<void> {
  const sender = new PartitionSender(await kafka.producer(), say)
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    void sender.close()
  }, TELL_MS)
  try {
    await failJob(sender, pipeline, job, failure).catch(error => {
      const why = isLate ? `no answer within ${TELL_MS / 1000} s` : toRowmillError(error).message
      say(`cannot record in ${topicsOf(pipeline).jobs} that job ${job.id} ends: ${why}`, {
        level: 'warn',
        job: job.id,
        code: toRowmillError(error).code,
      })
    })
  } finally {
    clearTimeout(limit)
    await sender.close()
  }
}

/**
 * Records in `jobs` that the job failed, with the error and where it happened. Everyone who serves the job ends with
 * it.
 */
export function failJob(
  sender: PartitionSender,
  pipeline: string,
  job: Job,
  failure: { error: unknown; place: string | null; by: string; state?: 'failed' | 'cancelled' },
): Promise<void> {
  const { code, message } = errorToRecord(failure.error)
  // A traceback may hold half a surrogate pair, which UTF-8 cannot carry. Everybody who lists the jobs reads the message.
  const reason: Reason = { code, place: failure.place, message: maskSecrets(message.toWellFormed()) }
  return appendJob(sender, pipeline, {
    ...job,
    state: failure.state ?? 'failed',
    reason,
    at: Date.now(),
    by: failure.by,
  })
}
