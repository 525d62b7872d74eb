import { isRemoved } from '../core/removed-job.ts'
import { RowmillError } from '../errors.ts'
import type { KafkaAdmin } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { rowTopics, topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { readJobs } from './list-jobs.ts'

/** How long `jobs` remembers that a job was removed: as long as Kafka keeps its rows and results by default. */
const REMEMBERED_MS = 7 * 24 * 3600 * 1000

/**
 * Deletes the beginning of `jobs` that nobody needs: everything before the first record of the oldest job that is kept. Of
 * a removed job, the removal alone is kept, for a week and until the workers have read all its rows. Without it they would
 * take rows of the job for rows of no job, and another job could take its id.
 *
 * Safe at any time, also twice at once: a job that is opened meanwhile is after everything that was read here. Returns how
 * many offsets are gone. Throws the broker's error.
 */
export async function shortenJobLog(context: PipelineContext, now: number): Promise<number> {
  const { kafka, pipeline } = context
  const { jobs: topic } = topicsOf(pipeline)
  const admin = await kafka.admin()
  try {
    const { jobs, end, firstForeign } = await readJobs(context)
    const removed = jobs.map(({ job }) => job).filter(isRemoved)
    const reached = await workersReached(admin, pipeline, removed)
    const isRead = ({ topic, rowsFrom }: Job) =>
      rowsFrom.every((offset, partition) => offset <= (reached.get(topic)?.get(partition) ?? Number.POSITIVE_INFINITY))
    const isNeeded = (job: Job) => !isRemoved(job) || now - job.at < REMEMBERED_MS || !isRead(job)
    const needed = jobs.filter(({ job }) => isNeeded(job)).map(({ from }) => from)
    const from = Math.min(end, firstForeign ?? end, ...needed)
    const { start } = await admin.bounds(topic, 0)
    if (from <= start) return 0
    await admin.deleteRecords(topic, 0, from)
    return from - start
  } finally {
    await admin.close()
  }
}

/**
 * Asks for everything that `shortenJobLog` needs after these jobs are removed, and changes nothing. Throws NOT_AUTHORIZED.
 * A cluster that deletes no records for another reason is no fault here: jobs can be removed there.
 */
export async function requireShortening({ kafka, pipeline }: PipelineContext, jobs: readonly Job[]): Promise<void> {
  const { jobs: topic } = topicsOf(pipeline)
  const admin = await kafka.admin()
  try {
    await workersReached(admin, pipeline, jobs)
    const { start } = await admin.bounds(topic, 0)
    await admin.deleteRecords(topic, 0, start).catch(error => {
      if (error instanceof RowmillError) throw error
    })
  } finally {
    await admin.close()
  }
}

/** By topic of rows and partition, the offset below which workers have nothing left to read. Only topics of these jobs. */
async function workersReached(
  admin: KafkaAdmin,
  pipeline: string,
  jobs: readonly Job[],
): Promise<Map<string, Map<number, number>>> {
  const topics = rowTopics(pipeline, true).filter(topic => jobs.some(job => job.topic === topic))
  const found = topics.map(async topic => [topic, await admin.readUpTo(workersGroup(pipeline), topic)] as const)
  return new Map(await Promise.all(found))
}
