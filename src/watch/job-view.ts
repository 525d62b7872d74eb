import { keyOf } from '../kafka/topic-partition.ts'
import type { Job } from '../model.ts'
import { endedProcessWait } from './ended-process.ts'
import { etaSeconds } from './eta.ts'
import type { JobFacts, PartitionFacts, PipelineFacts } from './facts.ts'
import { helpFor } from './help.ts'
import { processesOf, type RowsOfJob, rowsOf } from './job-rows.ts'
import { isOpen, phaseOf } from './phase.ts'
import type { HeardProcess } from './report-board.ts'
import type { JobCounts } from './result-tally.ts'
import { isStuck } from './stuck.ts'
import type { JobView, PartitionView, WorkerView } from './view.ts'
import { whatItWaitsFor } from './what-it-waits-for.ts'

export interface PipelineParts {
  readonly heard: readonly HeardProcess[]
  readonly workers: readonly WorkerView[]
  /** By partition of a topic, as `keyOf` names it. */
  readonly owners: ReadonlyMap<string, WorkerView>
}

export function jobView(facts: PipelineFacts, of: JobFacts, { heard, owners, workers }: PipelineParts): JobView {
  const { job, openedAt, openedBy, tally, attempts } = of
  const { at } = facts
  const counts = tally?.counts(job, attempts) ?? null
  const processes = processesOf(job.id, heard)
  const rows = rowsOf(facts, of, { counts, ...processes })
  const movedAt = lastMove(facts, of)
  const isClassified = hasEveryResult(of, rows, counts)
  const isStill = at - (movedAt ?? openedAt) > facts.stalledAfterMs
  const { collector } = processes
  const { partitions: _, ...jobRows } = rows
  const phase = phaseOf({
    ...{ state: job.state, bounded: job.bounded, rows, isClassified },
    isWritten: collector === null || collectedAll(collector, rows.total),
    isStill,
  })
  const isOver = !isOpen({ phase })
  const isMoving = !isOver && phase !== 'stalled'
  const waiting = { of, rows, counts, isClassified, movedAt, isStill, workers, owners, ...processes }
  const now = isOver ? null : whatItWaitsFor(facts, waiting)
  const waitsFor = isOver || isStuck(now) ? now : (endedProcessWait(facts, waiting) ?? now)
  const partitions = partitionViews(facts, of, { rows, owners, isMoving, blocking: now?.partition ?? null })
  return {
    ...{ id: job.id, phase, openedAt, movedAt, by: openedBy, bounded: job.bounded, sequenced: job.sequenced },
    ...{ attempt: job.attempt, topic: job.topic, rows: jobRows },
    rate: { now: isMoving ? (tally?.window.rate(at) ?? 0) : 0, average: averageRate(of, counts, isOver ? null : at) },
    etaSeconds: isOver || isClassified || isStuck(waitsFor) ? null : etaOf(rows, partitions),
    waitsFor,
    rejectsByReason: counts?.byReason ?? {},
    lastRejects: counts?.lastRejects ?? [],
    partitions,
    failure: job.reason,
    help: helpFor(facts, { job, phase, rejected: rows.rejected, waitsFor, workers, heard, ...processes }),
  }
}

/** When something of the job last moved. Null: nothing did since it was opened, as far as the watch knows. */
function lastMove({ board, jobs, partitions }: PipelineFacts, { job, openedAt, tally }: JobFacts): number | null {
  // Rows that come are those of a newer job: publishers of files follow each other.
  const isFollowed =
    job.bounded && jobs.some(other => other.job.topic === job.topic && other.job.bounded && other.openedAt > openedAt)
  const arrival = job.state === 'open' && !isFollowed ? arrivalOf(partitionsOf(partitions, job), job) : null
  const moves = [
    job.at > openedAt ? job.at : null,
    tally?.window.lastAt,
    board.movedAt('publishing', job.id),
    board.movedAt('collecting', job.id),
    arrival !== null && arrival > openedAt ? arrival : null,
  ].filter(move => move !== null && move !== undefined)
  return moves.length === 0 ? null : Math.max(...moves)
}

/**
 * The arrival of rows that counts as a move. Of a job with an end the last one: its publisher works. Events may come for ever
 * while no classifier takes them, so of a job of events the row that has waited longest counts: it began the wait.
 */
function arrivalOf(partitions: readonly PartitionFacts[], { bounded }: Job): number | null {
  const times = partitions.map(({ grewAt, oldestAt }) => (bounded ? grewAt : oldestAt)).filter(at => at !== null)
  if (times.length === 0) return null
  return bounded ? Math.max(...times) : Math.min(...times)
}

function partitionsOf(partitions: PipelineFacts['partitions'], { topic }: Job): PartitionFacts[] {
  const found: PartitionFacts[] = []
  for (let partition = 0; ; partition++) {
    const here = partitions.get(keyOf({ topic, partition }))
    if (!here) return found
    found.push(here)
  }
}

/** Whether all rows are published, and each has a result. */
function hasEveryResult({ job, isCommitted }: JobFacts, { total }: RowsOfJob, counts: JobCounts | null): boolean {
  if (job.state !== 'ended') return false
  if (isCommitted || counts === null) return isCommitted
  // A later attempt classifies rejects again, which have been counted already.
  const isFirst = job.bounded && job.attempt === 0
  return counts.ends === job.partitions || (isFirst && total !== null && counts.classified >= total)
}

/** A collector that failed has no output, even if it failed with the last rows. */
function collectedAll({ report: { collecting, failure } }: HeardProcess, total: number | null): boolean {
  if (failure !== undefined) return false
  return collecting !== null && total !== null && collecting.written + collecting.rejected >= total
}

function partitionViews(
  facts: PipelineFacts,
  { job, tally }: JobFacts,
  {
    rows,
    owners,
    isMoving,
    blocking,
  }: { rows: RowsOfJob; owners: PipelineParts['owners']; isMoving: boolean; blocking: number | null },
): PartitionView[] {
  return rows.partitions.map(({ total, published, classified, again }, partition) => {
    const { topic } = job
    const key = keyOf({ topic, partition })
    const lagRows = published === null || classified === null ? null : again + Math.max(0, published - classified)
    const oldestAt = facts.partitions.get(key)?.oldestAt ?? null
    const age = oldestAt === null ? null : Math.max(0, (facts.at - oldestAt) / 1000)
    return {
      ...{ topic, partition, total, published, classified, lagRows },
      lagSeconds: lagRows === 0 ? 0 : age,
      rowsPerSecond: isMoving ? (tally?.rateOf(partition, facts.at) ?? 0) : 0,
      owner: owners.get(key)?.name ?? null,
      blocks: partition === blocking,
    }
  })
}

/** `at`: null if the job is over. */
function averageRate({ tally }: JobFacts, counts: JobCounts | null, at: number | null): number {
  const { firstAt = null, lastAt = null } = tally?.window ?? {}
  if (firstAt === null || counts === null) return 0
  return counts.classified / Math.max(1, ((at ?? lastAt!) - firstAt) / 1000)
}

/** Null: the job has no end that is known, or what the output waits for does not move. */
function etaOf({ total, partitions: rows }: RowsOfJob, partitions: readonly PartitionView[]): number | null {
  if (total === null || partitions.some(each => each.total === null || each.classified === null)) return null
  const blocking = partitions.find(({ blocks }) => blocks)
  const moves = partitions.some(each => {
    const isSame = each === blocking || (each.owner !== null && each.owner === blocking?.owner)
    return isSame && each.rowsPerSecond > 0
  })
  if (blocking && !moves) return null
  return etaSeconds(
    partitions.map(({ total, classified, rowsPerSecond, owner }, partition) => {
      const left = rows[partition]!.again + Math.max(0, total! - classified!)
      return { left, rowsPerSecond, owner }
    }),
  )
}
