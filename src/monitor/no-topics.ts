import { isOfRun } from '../pipeline/topic-names.ts'
import type { NoTopicsView, PipelineView } from '../watch/view.ts'

/** Why there is nothing to see of a pipeline, as one clause. */
export function describeNoTopics(pipeline: string, { wereThere }: NoTopicsView): string {
  if (isOfRun(pipeline))
    return wereThere
      ? `the run of pipeline ${pipeline} is over: its topics are gone`
      : `pipeline ${pipeline} has no topics: its run has not made them yet, or is over`
  if (wereThere) return `the topics of pipeline ${pipeline} are gone`
  return `pipeline ${pipeline} has no topics yet: start rowmill publish or rowmill work`
}

/** Whether the pipeline was that of a run, which has ended. */
export function isRunOver({ pipeline, noTopics }: PipelineView): boolean {
  return noTopics?.wereThere === true && isOfRun(pipeline)
}
