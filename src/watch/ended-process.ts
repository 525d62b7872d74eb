import type { PipelineFacts } from './facts.ts'
import type { UnfinishedJob } from './unfinished-job.ts'
import type { WaitView } from './view.ts'
import { collectorWait, publisherWait } from './what-it-waits-for.ts'

/**
 * What a job will wait for, although rows of it still move: the process that publishes its rows, or that writes its results, has
 * ended or is silent. Null: it has none, or that is well.
 */
export function endedProcessWait(facts: PipelineFacts, waiting: UnfinishedJob): WaitView | null {
  const { of, rows, publisher } = waiting
  const { state, bounded, sequenced } = of.job
  if (bounded && state === 'open' && publisher !== null && publisher.state !== 'running')
    return publisherWait(facts, waiting, sequenced ? rows.published : null)
  return collectorWait(facts, waiting)
}
