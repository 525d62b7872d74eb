import type { CollectingReport } from '../reports/report.ts'
import { type Reports, reportLater } from '../reports/report-later.ts'
import type { Say } from '../support/say.ts'
import type { Supervisor } from '../work/supervisor.ts'
import type { ProgressSum } from './progress-sum.ts'
import type { RunTopics } from './run-topics.ts'

/** What a run reports of. */
export interface ReportedRun {
  readonly topics: RunTopics
  readonly job: string
  readonly progress: ProgressSum
  readonly supervisor: Supervisor
  readonly say: Say
  /** Null before the collector begins. */
  collecting(): CollectingReport | null
}

/** Reports of publisher, workers and collector of one run. The topic of a pipeline of its own is created for the first report. */
export function reportRun({ topics, job, progress, supervisor, say, collecting }: ReportedRun): Reports {
  const { kafka, pipeline, bulk } = topics
  const look = () => {
    const { published, total } = progress.sum
    return { publishing: { job, published, total }, working: supervisor.working, collecting: collecting() }
  }
  return reportLater({
    ...{ kafka, pipeline, look, say },
    command: 'run',
    ...(bulk ? {} : { prepare: () => topics.createReports() }),
  })
}
