import { hasFailed } from '../core/job.ts'
import { isRemoved, removalRecord } from '../core/removed-job.ts'
import { RowmillError } from '../errors.ts'
import { PartitionFeed } from '../kafka/partition-feed.ts'
import { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { logEnds } from '../pipeline/log-ends.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { crashPoint } from '../support/crash-point.ts'
import { progressOf } from './job-progress.ts'
import { readJobs } from './list-jobs.ts'

/**
 * These jobs, of which each must exist and, unless `force` says otherwise, be over: failed, cancelled, or classified to the
 * end. Those that were removed before are left out. Throws USAGE that names the first job that cannot be removed.
 */
export async function namedJobs(context: PipelineContext, ids: readonly string[], force: boolean): Promise<Job[]> {
  const found = new Map((await readJobs(context)).jobs.map(({ job }) => [job.id, job]))
  for (const id of ids)
    if (!found.has(id)) throw usage(id, `no job ${id} in pipeline ${context.pipeline}: rowmill jobs list names them`)
  const jobs = [...new Set(ids)].map(id => found.get(id)!).filter(job => !isRemoved(job))
  if (force) return jobs
  const over = await jobsOver(context, jobs)
  const open = jobs.find(job => !over.includes(job))
  if (open) throw usage(open.id, `job ${open.id} ${whyOpen(open)}. Wait for it, cancel it, or remove it with --force`)
  return jobs
}

/**
 * The jobs that are over and whose state has not changed since `time`, in milliseconds since 1970. With `force` also those
 * that have ended and are not classified to the end.
 */
export async function jobsDoneBefore(
  context: PipelineContext,
  { time, force }: { time: number; force: boolean },
): Promise<Job[]> {
  const all = (await readJobs(context)).jobs.map(({ job }) => job)
  const old = all.filter(job => job.at <= time && job.state !== 'open' && !isRemoved(job))
  return force ? old : jobsOver(context, old)
}

/**
 * Records in `jobs` that these jobs are removed. Resolves when all records are acknowledged: from then on, every reader
 * forgets the jobs, and everyone who serves one of them ends with JOB_CANCELLED. `who` completes "was removed by".
 */
export async function removeJobs(
  context: PipelineContext,
  jobs: readonly Job[],
  { by, who }: { by: string; who: string },
): Promise<void> {
  const { kafka, pipeline, say } = context
  const sender = new PartitionSender(await kafka.producer(), say)
  try {
    const ends = new Map<string, readonly number[]>()
    for (const job of jobs) {
      const { topic, partitions } = job
      const place = `${topic}/${partitions}`
      const rowsFrom = ends.get(place) ?? (await logEnds(context, topic, partitions)).rowsFrom
      ends.set(place, rowsFrom)
      await appendJob(sender, pipeline, removalRecord(job, { rowsFrom, at: Date.now(), by, who }))
      crashPoint('job-removed')
    }
  } finally {
    await sender.close()
  }
}

/** Those of the jobs that failed, were cancelled, are classified to the end, or that nobody can collect any more. */
async function jobsOver(context: PipelineContext, jobs: readonly Job[]): Promise<Job[]> {
  const progress = await progressOf(
    context,
    jobs.filter(({ state }) => state === 'ended'),
  )
  const lost = jobs.some(({ id }) => progress.get(id)?.complete === false) ? await resultsBegin(context) : []
  const hasExpired = ({ resultsFrom }: Job) => resultsFrom.every((offset, partition) => (lost[partition] ?? 0) > offset)
  return jobs.filter(
    job => hasFailed(job) || progress.get(job.id)?.complete || (job.state === 'ended' && hasExpired(job)),
  )
}

/**
 * By partition, where the topic `results` begins now. Every job has a message in each partition, its end of input. If
 * retention has deleted from each partition what was there when the job began, it has deleted results of the job.
 */
async function resultsBegin({ kafka, pipeline, say }: PipelineContext): Promise<number[]> {
  const { results: topic } = topicsOf(pipeline)
  const feed = await PartitionFeed.open(kafka, [topic], say)
  try {
    const count = await feed.partitionsNow(topic)
    const all = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    return (await feed.offsets(all, 'start')).map(({ offset }) => offset)
  } finally {
    await feed.close()
  }
}

function whyOpen({ state }: Job): string {
  return state === 'open' ? 'is open: more rows may come' : 'is not classified to its end yet'
}

function usage(job: string, message: string): RowmillError {
  return new RowmillError('USAGE', message, { job })
}
