import { ERRORS } from '../errors.ts'
import type { Job } from '../model.ts'
import { commandLine } from '../support/shell.ts'
import type { PipelineFacts } from './facts.ts'
import type { JobProcesses } from './job-rows.ts'
import type { JobPhase, JobView, WaitView, WorkerView } from './view.ts'

export interface NeedsHelp extends JobProcesses {
  readonly job: Job
  readonly phase: JobPhase
  readonly rejected: number | null
  readonly waitsFor: WaitView | null
  readonly workers: readonly WorkerView[]
}

/** The command that helps a job, ready to copy. Null: it needs none, or there is none. */
export function helpFor(facts: PipelineFacts, needs: NeedsHelp): JobView['help'] {
  const { job, phase, rejected, waitsFor } = needs
  const help = (why: string, words: readonly string[]) => ({ why, command: commandLine([...words, ...placeOf(facts)]) })
  const replay = ['rowmill', 'rejects', 'replay', '--job', job.id]
  if (phase === 'failed') {
    const cure = job.reason === null ? 'repair' : afterOf(job.reason.code)
    if (cure === 'never') return null
    return help('repair the classifier, restart rowmill work with it, and classify the missing rows again', replay)
  }
  if (phase === 'cancelled') return null
  if (phase === 'complete') {
    if (!rejected) return null
    return help('repair the classifier, restart rowmill work with it, and classify the rejected rows again', replay)
  }
  return waitsFor && helpWith(waitsFor, { ...needs, brokers: facts.brokers }, help)
}

function helpWith(
  { reason, worker: name }: WaitView,
  { job, publisher, collector, workers, brokers }: NeedsHelp & { readonly brokers: string },
  help: (why: string, words: readonly string[]) => NonNullable<JobView['help']>,
): JobView['help'] {
  const { id } = job
  const isRun = (publisher ?? collector)?.report.command === 'run'
  switch (reason) {
    case 'publisher-silent':
      if (isRun) return sameRun(job)
      if (job.source === null && job.bounded)
        return help('its input can be read only once: cancel it, and publish its rows as another job', [
          ...['rowmill', 'jobs', 'cancel', '--job', id],
        ])
      return help('resume the publisher', ['rowmill', 'publish', job.source?.name ?? 'IN', '--job', id])
    case 'no-worker':
      return help('start a worker', ['rowmill', 'work', '--classifier', 'FILE'])
    case 'no-collector':
    case 'collector-silent':
      if (isRun) return sameRun(job)
      return help('resume the collector', ['rowmill', 'collect', 'OUT', '--job', id])
    case 'worker-silent': {
      const worker = workers.find(each => each.name === name)
      if (!worker?.pid) return null
      const why = `end the worker on ${worker.host}, if it hangs: another one classifies its rows`
      return { why, command: commandLine(['kill', '-9', String(worker.pid)]) }
    }
    case 'open-transaction': {
      const words = ['kafka-transactions.sh', '--bootstrap-server', brokers, 'find-hanging', '--topic', job.topic]
      return { why: "Kafka's own tool says whose transaction it is", command: commandLine(words) }
    }
    default:
      return null
  }
}

/** Its pipeline is its own, so nobody else can resume the job. */
function sameRun({ source }: Job): NonNullable<JobView['help']> {
  const command = commandLine(['rowmill', 'run', source?.name ?? 'IN', 'OUT', '--classifier', 'FILE'])
  return { why: 'give the same rowmill run again: it resumes', command }
}

function placeOf({ brokers, pipeline }: PipelineFacts): string[] {
  return ['--pipeline', pipeline, '--brokers', brokers]
}

function afterOf(code: string): 'resume' | 'repair' | 'repair-replay' | 'never' {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS].after : 'repair'
}
