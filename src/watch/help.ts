import { ERRORS } from '../errors.ts'
import type { Job } from '../model.ts'
import { commandLine } from '../support/shell.ts'
import type { PipelineFacts } from './facts.ts'
import type { JobProcesses } from './job-rows.ts'
import type { HeardProcess } from './report-board.ts'
import type { HelpView, JobPhase, WaitView, WorkerView } from './view.ts'
import { isOfRun } from './what-it-waits-for.ts'

const WORK = ['rowmill', 'work', '--classifier', 'FILE']

/** Anybody can report a host. One that `ssh` would take for an option is in no command. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export interface NeedsHelp extends JobProcesses {
  readonly job: Job
  readonly phase: JobPhase
  readonly rejected: number | null
  readonly waitsFor: WaitView | null
  readonly workers: readonly WorkerView[]
  readonly heard: readonly HeardProcess[]
}

/** What helps a job. Null: it needs nothing, or nothing helps. */
export function helpFor(facts: PipelineFacts, needs: NeedsHelp): HelpView | null {
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
  return waitsFor && helpWith(waitsFor, { ...needs, facts }, help)
}

function helpWith(
  { reason, worker: name, partition }: WaitView,
  { job, publisher, collector, workers, heard, facts }: NeedsHelp & { readonly facts: PipelineFacts },
  help: (why: string, words: readonly string[]) => HelpView,
): HelpView | null {
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
      return isOfRun({ job }) ? sameRun(job) : help('start a worker', WORK)
    case 'no-collector':
    case 'collector-silent':
      if (isRun) return sameRun(job)
      return help('resume the collector', ['rowmill', 'collect', 'OUT', '--job', id])
    case 'worker-silent': {
      const worker = workers.find(each => each.name === name)
      const process = heard.find(({ report }) => report.process === worker?.process)
      if (!worker || !process) return null
      if (process.state === 'running') return endWorker(worker, process, facts.host)
      if (process.report.command === 'run') return sameRun(job)
      return help(`if rowmill work on ${worker.host} has ended, start it again there, or on another machine`, WORK)
    }
    case 'open-transaction': {
      const at = ['--topic', job.topic, '--partition', String(partition)]
      const words = ['kafka-transactions.sh', '--bootstrap-server', facts.brokers, 'describe-producers', ...at]
      const why = "Kafka's own tool shows whose transaction it is, in the line with a CurrentTransactionStartOffset"
      return { why, command: commandLine(words) }
    }
    default:
      return null
  }
}

/** Its supervisor, which is well, starts the worker again. Without that it would have to be ended itself. */
function endWorker({ host, pid }: WorkerView, { report }: HeardProcess, here: string): HelpView {
  if (pid === null || !HOST.test(host))
    return { why: `restart rowmill ${report.command} on ${host} (process ${report.pid})`, command: null }
  const words = [...(host === here ? [] : ['ssh', host]), 'kill', '-9', String(pid)]
  return {
    why: 'end the worker, if it hangs: it is started again, and its rows are classified',
    command: commandLine(words),
  }
}

/** Its pipeline is its own, so nobody else can resume the job. */
function sameRun({ source }: Job): HelpView {
  const command = commandLine(['rowmill', 'run', source?.name ?? 'IN', 'OUT', '--classifier', 'FILE'])
  return { why: 'give the same rowmill run again: it resumes', command }
}

function placeOf({ brokers, pipeline }: PipelineFacts): string[] {
  return ['--pipeline', pipeline, '--brokers', brokers]
}

function afterOf(code: string): 'resume' | 'repair' | 'repair-replay' | 'never' {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS].after : 'repair'
}
