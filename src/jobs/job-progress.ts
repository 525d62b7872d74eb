import { IntervalSet } from '../core/intervals.ts'
import { hasFailed } from '../core/job.ts'
import { readNow } from '../kafka/read-now.ts'
import type { EndOfInput, Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { DoneRows } from '../results/done-rows.ts'
import { decode } from '../wire/codec.ts'

/** How far the workers have come with a job. */
export interface JobProgress {
  /** Rows that have a result or are rejected. Null: not counted, for a job of events. */
  readonly classified: number | null
  /** How many of these are rejected, and have no result of a later attempt. Null: not counted. */
  readonly rejects: number | null
  /** Whether every partition has its end of input, after the last result. */
  readonly complete: boolean
}

/** Whether `progressOf` has an answer: the job did not fail, and its rows end. */
function hasProgress(job: Job): boolean {
  return !hasFailed(job) && (job.bounded || job.state === 'ended')
}

/**
 * How far the workers have come with each of these jobs that `hasProgress`. Reads the topic `results` once, from where
 * the first job begins until all of them are complete. Of most messages it reads only the key. Throws the reason of
 * `signal`.
 */
export async function progressOf(context: PipelineContext, jobs: readonly Job[]): Promise<Map<string, JobProgress>> {
  await context.jobs.latest('') // so that the job log knows every attempt
  const tallies = new Map(jobs.filter(hasProgress).map(job => [job.id, new JobTally(job, context.jobs)]))
  if (tallies.size > 0) await readUntilComplete(context, tallies)
  return new Map([...tallies].map(([id, tally]) => [id, tally.progress]))
}

async function readUntilComplete(
  { kafka, pipeline, say, signal }: PipelineContext,
  tallies: ReadonlyMap<string, JobTally>,
): Promise<void> {
  const { results: topic } = topicsOf(pipeline)
  const complete = new AbortController()
  let open = tallies.size
  const reading = { kafka, say, signal: AbortSignal.any([signal, complete.signal]) }
  const jobs = [...tallies.values()].map(({ job }) => job)
  await readNow(reading, beginnings(topic, jobs), (partition, { key, value }) => {
    const tally = tallies.get(key?.toString() ?? '')
    if (tally === undefined || tally.complete) return
    tally.take(partition, value)
    if (tally.complete && --open === 0) complete.abort()
  }).catch(error => {
    if (!complete.signal.aborted || signal.aborted) throw error
  })
}

/** For each partition that one of the jobs has, where the first job begins. */
function beginnings(topic: string, jobs: readonly Job[]) {
  const offsets: number[] = []
  for (const { resultsFrom } of jobs) {
    for (const [partition, offset] of resultsFrom.entries())
      offsets[partition] = Math.min(offset, offsets[partition] ?? offset)
  }
  return offsets.map((offset, partition) => ({ topic, partition, offset }))
}

/** Counts the results of one job. */
class JobTally {
  readonly job: Job
  readonly #attempts: ReadonlySet<number>
  readonly #partitions: readonly { readonly done: DoneRows; readonly seen: IntervalSet }[]
  readonly #ended = new Set<number>()

  constructor(job: Job, jobs: JobLog) {
    this.job = job
    this.#attempts = new Set(jobs.attemptsOf(job.id).map(({ attempt }) => attempt))
    this.#partitions = job.resultsFrom.map(() => ({ done: new DoneRows(), seen: new IntervalSet() }))
  }

  get complete(): boolean {
    return this.#ended.size === this.#partitions.length
  }

  get progress(): JobProgress {
    if (!this.job.bounded) return { classified: null, rejects: null, complete: this.complete }
    const sum = (sizes: readonly number[]) => sizes.reduce((all, size) => all + size, 0)
    const classified = sum(this.#partitions.map(({ seen }) => seen.size))
    const done = sum(this.#partitions.map(({ done }) => done.positions.size))
    return { classified, rejects: classified - done, complete: this.complete }
  }

  /** Skips messages that are no records: a collector reports them. */
  take(partition: number, value: Buffer | null): void {
    const record = recordOf(value)
    if (record?.kind === 'end' && record.value.job === this.job.id) this.#end(partition, record.value)
    if (record?.kind === 'result' && record.value.job === this.job.id) this.#add(partition, record.value)
  }

  #end(partition: number, { attempt, epoch }: EndOfInput): void {
    const { job } = this
    if (partition < this.#partitions.length && attempt === job.attempt && (job.bounded || epoch === job.epoch))
      this.#ended.add(partition)
  }

  #add(partition: number, result: Result): void {
    const here = this.#partitions[partition]
    if (!here || !this.job.bounded || !this.#attempts.has(result.attempt)) return
    here.done.add(result)
    here.seen.add(result.first, result.first + result.count)
  }
}

function recordOf(value: Buffer | null) {
  try {
    return decode(value)
  } catch {
    return null
  }
}
