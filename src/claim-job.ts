import type { SourceHeader } from './connector.ts'
import { crashPoint } from './crash-point.ts'
import { RowmillError } from './errors.ts'
import { appendJob } from './jobs.ts'
import { latestJob } from './jobs-now.ts'
import { type Job, type JobOption, optionOf } from './model.ts'
import type { PartitionSender } from './partition-sender.ts'
import type { PublishOptions } from './publisher.ts'
import { describeOtherSource, SOURCE_DIGEST } from './source-identity.ts'
import { topicsOf } from './topics.ts'
import { uniqueName } from './unique-name.ts'

/** A job with more rows makes others wait, so it waits for them. */
const SMALL_JOB_ROWS = 1000

/** The first record of the job. Its `by` is of this call alone, so that its author knows it again. */
export async function firstRecord(
  header: SourceHeader,
  { kafka, pipeline, layout, bulk = false, by, job, options }: PublishOptions,
): Promise<Job> {
  const topics = topicsOf(pipeline)
  const topic = bulk && (header.total ?? Number.POSITIVE_INFINITY) > SMALL_JOB_ROWS ? topics.bulk : topics.rows
  const reader = await kafka.reader([topic, topics.results])
  try {
    return {
      id: job,
      epoch: 0,
      attempt: 0,
      state: 'open',
      reason: null,
      columns: header.columns,
      sequenced: true,
      bounded: true,
      partitions: layout.partitions,
      blockRows: layout.blockRows,
      topic,
      from: 0,
      total: header.total,
      rowsFrom: await reader.ends(topic, layout.partitions),
      resultsFrom: await reader.ends(topics.results, layout.partitions),
      source: header.identity,
      indexKind: header.indexKind,
      options: [...header.options, ...options],
      at: Date.now(),
      by: `${by} ${uniqueName()}`,
    }
  } finally {
    await reader.close()
  }
}

/**
 * Appends the first record of a job and reads `jobs` back. Of two publishers that begin one id at the same moment, both
 * find no job of it: who comes second in the log sees that only here. Resolves with `job` itself where its record is the
 * first. Else it resolves with the job of the other publisher where that reads the same source under the same options,
 * or throws JOB_EXISTS. Throws BROKER_UNREACHABLE and the reason of the signal.
 */
export async function claimJob(
  job: Job,
  { header, sender, options }: { header: SourceHeader; sender: PartitionSender; options: PublishOptions },
): Promise<Job> {
  const { kafka, pipeline, jobs, signal } = options
  await appendJob(sender, pipeline, job)
  crashPoint('job-opened')
  const begun = (await latestJob(jobs, job.id, { patienceMs: kafka.patienceMs, signal }))!
  if (jobs.epochsOf(job.id)!.by === job.by) return job
  checkSame(begun, header, options)
  return begun
}

/** Throws JOB_EXISTS unless the job that has the id was begun with this file, and with these options. */
export function checkSame(job: Job, header: SourceHeader, { pipeline, options }: PublishOptions): void {
  const refuse = (why: string) => {
    const message = `job ${job.id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, choose another --job`
    return new RowmillError('JOB_EXISTS', message, { job: job.id })
  }
  if (!job.bounded) throw refuse('for events')
  if (!job.source || !header.identity) throw refuse('and input that is read only once cannot go on')
  const other = describeOtherSource({ ...job, source: job.source }, { ...header, source: header.identity })
  if (other) throw refuse(other)
  const others = differing(
    [...job.options, { name: 'indexKind', value: `${job.indexKind}` }],
    [...header.options, ...options, { name: 'indexKind', value: `${header.indexKind}` }],
  )
  if (others.length > 0) throw refuse(`begun with other options (${others.join(', ')})`)
}

/** The names of the options that are not the same in both. The digest of the source was judged before. */
function differing(before: readonly JobOption[], now: readonly JobOption[]): string[] {
  const names = new Set([...before, ...now].map(({ name }) => name))
  names.delete(SOURCE_DIGEST)
  return [...names].filter(name => optionOf(before, name) !== optionOf(now, name))
}
