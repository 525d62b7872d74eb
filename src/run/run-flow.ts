import type { ClassifierRuntime } from '../classifier/boundary.ts'
import type { Collected } from '../collect/collect-options.ts'
import { collect } from '../collect/collector.ts'
import type { SourceHeader } from '../connector.ts'
import { hasFailed } from '../core/job.ts'
import { reopen } from '../jobs/reopen.ts'
import type { Kafka } from '../kafka/index.ts'
import type { JobOption } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { publish } from '../publish/publisher.ts'
import type { CollectingReport } from '../reports/report.ts'
import type { ProgressSum } from './progress-sum.ts'
import type { ProbeReport, RunOptions, RunSettings } from './run-options.ts'
import type { RunProbe } from './run-probe.ts'
import type { RunTopics } from './run-topics.ts'

/** What the parts of a run need, once all that it waits for is there. */
export interface FlowParts {
  readonly job: string
  readonly topics: RunTopics
  readonly header: SourceHeader
  readonly runtime: ClassifierRuntime
  readonly progress: ProgressSum
  readonly probe: RunProbe
  /** Called with what tells how far the collector is. */
  onCollect(look: () => CollectingReport): void
  onOpen(): Promise<void>
}

/** Reads `jobs` of the pipeline. Its `jobs` is to be closed. */
export async function openContext(
  kafka: Kafka,
  { pipeline, say, signal }: Pick<PipelineContext, 'pipeline' | 'say' | 'signal'>,
): Promise<PipelineContext> {
  return { kafka, pipeline, jobs: await JobLog.open(kafka, pipeline, say), say, signal }
}

/** Starts the publisher, the collector and the probe. The last two wait until the id belongs to this run. */
export function startFlow(
  context: PipelineContext,
  { sink, options, observer }: Pick<RunSettings, 'options' | 'observer'> & Pick<RunOptions, 'sink'>,
  { job, topics, header, runtime, progress, probe, onOpen, onCollect }: FlowParts,
): [Promise<number>, Promise<Collected>, Promise<ProbeReport | null>] {
  const held = Promise.withResolvers<void>()
  const publishing = publish(context, probe.source, {
    header,
    job,
    layout: topics.layout,
    bulk: topics.bulk,
    options: [...options, quoting(runtime)],
    by: 'run',
    onOpen,
    onHeld: held.resolve,
    onProgress: rows => progress.published(rows),
    onSent: rows => observer?.sent(rows),
  })
  publishing.catch(held.reject)
  const judging = held.promise.then(() => probe.judge(context, job, header))
  judging.catch(() => {})
  // Before that, the results may be those of somebody else's job, and must not become OUT.
  const collecting = held.promise.then(
    () => {
      const onProgress = (_: number, rows: number, rejected: number) => progress.written(rows, rejected)
      const mayCommit = () => probe.verdict(context.say)
      return collect(context, {
        ...{ job, sink, onProgress, onBegin: onCollect, mayCommit },
        onArrival: rows => observer?.arrived(rows),
        onWaited: seconds => observer?.waited(seconds),
      })
    },
    async error => {
      await sink.close()
      throw error
    },
  )
  return [publishing, collecting, judging]
}

/** Gives a job that failed because of its classifier another attempt: the classifier may be repaired. */
export async function reopenFailed(context: PipelineContext, id: string): Promise<void> {
  const before = await context.jobs.latest(id)
  if (!before || !hasFailed(before)) return
  const reopened = await reopen(context, id, 'run')
  if (reopened) context.say(`job ${id} failed before, and resumes in attempt ${reopened.job.attempt}`, { job: id })
}

/** Bytes depend on it, so it belongs to the job: the sink quotes a carriage return as the classifier's Python does. */
function quoting({ quotesCarriageReturn }: ClassifierRuntime): JobOption {
  return { name: 'quotesCarriageReturn', value: String(quotesCarriageReturn) }
}
