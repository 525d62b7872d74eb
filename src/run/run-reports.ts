import type { ReportedParts } from '../reports/report.ts'
import { type Reports, reportLater } from '../reports/report-later.ts'
import type { Say } from '../support/say.ts'
import type { RunTopics } from './run-topics.ts'

/** Reports what the parts of one run do. The topic of a pipeline of its own is created for the first report. */
export function reportRun(topics: RunTopics, look: () => ReportedParts, say: Say): Reports {
  const { kafka, pipeline, bulk } = topics
  return reportLater({
    ...{ kafka, pipeline, look, say },
    command: 'run',
    ...(bulk ? {} : { prepare: () => topics.createReports() }),
  })
}
