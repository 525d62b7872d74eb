import { rowsInPartition } from '../core/sequence.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { JobFacts, PipelineFacts } from './facts.ts'
import type { HeardProcess } from './report-board.ts'
import type { JobCounts } from './result-tally.ts'
import type { JobRows } from './view.ts'

/** How many rows of a job are where. */
export interface RowsOfJob extends JobRows {
  /** By partition. */
  readonly partitions: readonly RowsOfPartition[]
}

export interface RowsOfPartition {
  readonly total: number | null
  readonly published: number | null
  readonly classified: number | null
  /** Rows that earlier attempts rejected, and that the latest one has not classified yet. */
  readonly again: number
}

/** Who publishes and who collects the job, as far as somebody reports it. */
export interface JobProcesses {
  readonly publisher: HeardProcess | null
  readonly collector: HeardProcess | null
}

/** The latest process that reports to publish or collect a job; one that runs before others. */
export function processesOf(id: string, heard: readonly HeardProcess[]): JobProcesses {
  const latest = (part: 'publishing' | 'collecting') => {
    const all = heard.filter(({ report }) => report[part]?.job === id)
    return all.findLast(({ state }) => state === 'running') ?? all.at(-1) ?? null
  }
  return { publisher: latest('publishing'), collector: latest('collecting') }
}

/** `counts`: null if the results are not read. */
export function rowsOf(
  facts: PipelineFacts,
  { job, isCommitted, inLog }: JobFacts,
  { counts, publisher, collector }: JobProcesses & { readonly counts: JobCounts | null },
): RowsOfJob {
  const published = publisher?.report.publishing ?? null
  const collected = collector?.report.collecting ?? null
  const total = job.total ?? published?.total ?? inLog?.total ?? null
  // Retention may have deleted results of a job that is over.
  const classified = (isCommitted ? total : null) ?? counts?.classified ?? null
  const partitions = Array.from({ length: partitionsOf(facts, job, counts) }, (_, partition) => {
    const counted = counts?.partitions[partition]
    const here = counts === null ? null : (counted?.classified ?? 0)
    const totalHere = job.sequenced && total !== null ? rowsInPartition(partition, total, job) : null
    return { total: totalHere, classified: (isCommitted ? totalHere : null) ?? here, again: counted?.again ?? 0 }
  })
  const known = job.state === 'ended' ? total : inLog === null ? (published?.published ?? null) : null
  const publishedIn = inLog?.rows ?? publishedByPartition(facts, job, { known, counts, partitions })
  const inPartitions = partitions.map((rows, partition) => {
    const here = publishedIn[partition] ?? null
    const isKnown = here !== null || inLog !== null
    return { ...rows, published: isKnown ? Math.max(here ?? 0, rows.classified ?? 0) : null }
  })
  const sum = inPartitions.every(rows => rows.published !== null)
    ? inPartitions.reduce((all, rows) => all + rows.published!, 0)
    : null
  return {
    total,
    published: known === null ? sum : Math.max(known, classified ?? 0),
    classified,
    written: collected?.written ?? null,
    rejected: counts?.rejected ?? collected?.rejected ?? null,
    partitions: inPartitions,
  }
}

/** How many partitions may have rows of the job. Those of events may be in any, also in one that was added later. */
function partitionsOf({ partitions }: PipelineFacts, job: JobFacts['job'], counts: JobCounts | null): number {
  let count = Math.max(job.partitions, counts?.partitions.length ?? 0)
  if (!job.sequenced) while (partitions.has(keyOf({ topic: job.topic, partition: count }))) count++
  return count
}

/**
 * How many rows of the job are in each partition, if somebody says how many there are. Of a job without sequence the commits of the
 * workers and its results say how many of the messages wait, if no other open job uses its topic. Each has one row.
 */
function publishedByPartition(
  { partitions, jobs }: PipelineFacts,
  job: JobFacts['job'],
  {
    known,
    counts,
    partitions: here,
  }: {
    readonly known: number | null
    readonly counts: JobCounts | null
    readonly partitions: readonly Omit<RowsOfPartition, 'published'>[]
  },
): (number | null)[] {
  const { id, topic, sequenced, rowsFrom } = job
  if (sequenced && known === null) return []
  if (sequenced)
    return Array.from({ length: job.partitions }, (_, partition) => rowsInPartition(partition, known!, job))
  const isAlone = !jobs.some(other => other.job.id !== id && other.job.topic === topic && other.job.state === 'open')
  if (!isAlone || job.state !== 'open') return []
  return here.map(({ classified }, partition) => {
    const { end = 0, committed = 0 } = partitions.get(keyOf({ topic, partition })) ?? {}
    const begin = Math.max(committed, rowsFrom[partition] ?? 0, counts?.partitions[partition]?.upTo ?? 0)
    return (classified ?? 0) + Math.max(0, end - begin)
  })
}
