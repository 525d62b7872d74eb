import type { PipelineFacts } from './facts.ts'
import type { UnfinishedJob } from './unfinished-job.ts'
import type { WaitView } from './view.ts'
import { nameOf, publisherWait, reasonOf, secondsOf } from './what-it-waits-for.ts'

/**
 * What a job will wait for, although rows of it still move: the process that publishes its rows, or that writes its results, has
 * ended or is silent. Null: it has none, or that is well.
 */
export function endedProcessWait(facts: PipelineFacts, waiting: UnfinishedJob): WaitView | null {
  const { of, rows, publisher, collector } = waiting
  const { state, bounded, sequenced } = of.job
  if (bounded && state === 'open' && publisher !== null && publisher.state !== 'running')
    return publisherWait(facts, waiting, sequenced ? rows.published : null)
  if (collector === null || collector.state === 'running') return null
  const { written, rejected } = collector.report.collecting!
  const row = written + rejected
  if (rows.total !== null && row >= rows.total) return null
  const { silentSeconds } = collector
  const wait = { row, partition: null, worker: null, since: facts.at - silentSeconds * 1000 }
  const who = nameOf(collector)
  if (collector.state === 'gone')
    return { ...wait, reason: 'no-collector', text: `nobody writes its results: ${who} ended${reasonOf(collector)}` }
  const text = `its results are not written: ${who} has not been heard of for ${secondsOf(silentSeconds)}`
  return { ...wait, reason: 'collector-silent', text }
}
