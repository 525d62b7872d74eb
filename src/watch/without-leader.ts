import type { LeaderlessPartition } from '../kafka/index.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import type { PipelineFacts } from './facts.ts'
import type { NextRow, UnfinishedJob } from './unfinished-job.ts'
import type { WaitView } from './view.ts'

/**
 * What a job waits for if a partition that it needs has no leader: that of its next row first, or of the results of it. Null: it
 * needs none of them now. `wanted`: null if every row has a result, or the next row is not known.
 */
export function withoutLeader(
  { pipeline, leaderless }: PipelineFacts,
  { of: { job, openedAt }, isClassified, movedAt }: UnfinishedJob,
  wanted: NextRow | null,
): WaitView | null {
  const { jobs, results } = topicsOf(pipeline)
  const needed = leaderless.filter(({ topic }) => topic === results || (topic === job.topic && !isClassified))
  const ofRow = needed.find(({ partition }) => partition === wanted?.partition)
  const found = ofRow ?? needed[0] ?? leaderless.find(({ topic }) => topic === jobs)
  if (!found) return null
  const where = { row: ofRow ? wanted!.row : null, partition: found.topic === jobs ? null : found.partition }
  return { reason: 'no-leader', ...where, worker: null, since: movedAt ?? openedAt, text: describeLeaderless(found) }
}

/** `partition 0 of p.rows has no leader: broker 3, which alone has it, is away`. */
export function describeLeaderless({ topic, partition, brokers }: LeaderlessPartition): string {
  const away =
    brokers.length === 1
      ? `broker ${brokers[0]}, which alone has it, is away`
      : `brokers ${listed(brokers)}, which have it, are away`
  return `partition ${partition} of ${topic} has no leader: ${away}`
}

/** What helps those partitions, in words. */
export function startBrokers(leaderless: readonly LeaderlessPartition[]): string {
  const brokers = [...new Set(leaderless.flatMap(({ brokers }) => brokers))].sort((a, b) => a - b)
  return `start broker ${listed(brokers)}: its rows are on its disk, and the job goes on by itself. This shows what is away`
}

function listed(brokers: readonly number[]): string {
  return brokers.join(' and ')
}
