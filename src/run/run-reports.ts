import { absoluteTarget } from '../classifier/absolute-target.ts'
import type { ReportedParts } from '../reports/report.ts'
import { type Reports, reportLater } from '../reports/report-later.ts'
import type { Say } from '../support/say.ts'
import type { RunOptions } from './run-options.ts'
import type { RunTopics } from './run-topics.ts'

type ReportedRun = Pick<RunOptions, 'classifier'> & { readonly say: Say }

/** Reports what the parts of one run do. The topic of a pipeline of its own is created for the first report. */
export function reportRun(topics: RunTopics, look: () => ReportedParts, { say, classifier }: ReportedRun): Reports {
  const { kafka, pipeline, bulk } = topics
  return reportLater({
    ...{ kafka, pipeline, look, say },
    uses: { classifier: absoluteTarget(classifier) },
    command: 'run',
    ...(bulk ? {} : { prepare: () => topics.createReports() }),
  })
}
