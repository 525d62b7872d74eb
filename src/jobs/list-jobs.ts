import { foldJob } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import type { Message } from '../kafka/index.ts'
import { readNow } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { counted } from '../support/counted.ts'
import { decode, isJobBehindId, isOfUnknownSchema } from '../wire/codec.ts'

/** A job, also one that was removed, and the offset of the first record that readers still need of it. */
export interface LoggedJob {
  readonly job: Job
  readonly from: number
}

/** What the topic `jobs` holds now. */
export interface LoggedJobs {
  /** In the order in which they were opened. */
  readonly jobs: readonly LoggedJob[]
  /** The offset after the last message. 0 if there is none. */
  readonly end: number
  /** The offset of the first job record that needs another schema registry. Null if there is none. */
  readonly firstForeign: number | null
  /** Messages that cannot be read. */
  readonly unreadable: number
}

/** Every job of a pipeline as of now, without those that were removed. Logs how many messages cannot be read. */
export async function listJobs(context: PipelineContext): Promise<Job[]> {
  const { jobs, unreadable } = await readJobs(context)
  if (unreadable > 0)
    context.say(
      `${counted(unreadable, 'message')} of ${topicsOf(context.pipeline).jobs} cannot be read as a job record. Does this command need --schema-registry?`,
      { level: 'warn', topic: topicsOf(context.pipeline).jobs },
    )
  return jobs.map(({ job }) => job).filter(job => !isRemoved(job))
}

/** Reads `jobs` from its beginning to its present end. Throws the reason of `signal`. */
export async function readJobs(context: PipelineContext): Promise<LoggedJobs> {
  const { jobs: topic } = topicsOf(context.pipeline)
  const jobs = new Map<string, LoggedJob>()
  let [end, unreadable] = [0, 0]
  let firstForeign: number | null = null
  await readNow(context, [{ topic, partition: 0, offset: 0 }], (_, message) => {
    const record = readRecord(message)
    if (record.job) jobs.set(record.job.id, fold(jobs.get(record.job.id), record.job, message.offset))
    else unreadable++
    if (record.isForeign) firstForeign ??= message.offset
    end = message.offset + 1
  })
  return { jobs: [...jobs.values()], end, firstForeign, unreadable }
}

function fold(before: LoggedJob | undefined, record: Job, offset: number): LoggedJob {
  const job = foldJob(before?.job, record)
  const isRemoval = isRemoved(job) && !(before && isRemoved(before.job))
  return { job, from: before && !isRemoval ? before.from : offset }
}

function readRecord({ key, value }: Message): { job?: Job; isForeign?: boolean } {
  try {
    const record = decode(value)
    return record.kind === 'job' ? { job: record.value } : {}
  } catch (error) {
    return { isForeign: isOfUnknownSchema(error) && isJobBehindId(value!, key?.toString() ?? '') }
  }
}
