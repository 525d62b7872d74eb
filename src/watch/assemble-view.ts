import type { PipelineFacts } from './facts.ts'
import { jobView } from './job-view.ts'
import type { PipelineView } from './view.ts'
import { ownersOf, processViews, workerViews } from './workers-view.ts'

/** The view of what was read. */
export function assembleView(facts: PipelineFacts): PipelineView {
  const { pipeline, at, brokers, unreachableSince, board } = facts
  const heard = board.heard(at)
  const workers = workerViews(facts, heard)
  const parts = { heard, workers, owners: ownersOf(facts, { heard, workers }) }
  return {
    ...{ pipeline, at, brokers, unreachableSince },
    jobs: facts.jobs.map(job => jobView(facts, job, parts)),
    workers,
    processes: processViews(heard),
    events: [],
  }
}
