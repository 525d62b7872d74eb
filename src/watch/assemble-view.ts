import type { JobFacts, PipelineFacts } from './facts.ts'
import { jobView } from './job-view.ts'
import type { HeardProcess } from './report-board.ts'
import type { PipelineView } from './view.ts'
import { ownersOf, processViews, workerViews } from './workers-view.ts'

/** The view of what was read. */
export function assembleView(facts: PipelineFacts): PipelineView {
  const { pipeline, at, brokers, unreachableSince, board, hearing } = facts
  const heard = board.heard(at, hearing).map(each => orEnded(each, facts))
  const workers = workerViews(facts, heard)
  const owners = ownersOf(facts, { heard, workers })
  const viewOf = (job: JobFacts) => {
    if (job.laterAttempt === null) return jobView(facts, job, { heard, workers, owners })
    const own = { ...facts, ...job.laterAttempt }
    return jobView(own, job, { heard, workers, owners: ownersOf(own, { heard, workers }) })
  }
  return {
    ...{ pipeline, at, brokers, unreachableSince, noTopics: null },
    jobs: facts.jobs.map(viewOf),
    workers,
    processes: processViews(heard),
    events: [],
  }
}

/** A silent process of this machine that is no longer there has ended. Of other machines nobody knows. */
function orEnded(process: HeardProcess, { host, hasEnded }: PipelineFacts): HeardProcess {
  const { report, state } = process
  return state === 'silent' && report.host === host && hasEnded(report.pid) ? { ...process, state: 'gone' } : process
}
