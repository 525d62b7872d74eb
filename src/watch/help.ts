import { ERRORS } from '../errors.ts'
import type { Job } from '../model.ts'
import { OPTIONS } from '../options.ts'
import { commandLine } from '../support/shell.ts'
import type { PipelineFacts } from './facts.ts'
import type { JobProcesses } from './job-rows.ts'
import type { HeardProcess } from './report-board.ts'
import type { HelpView, JobPhase, WaitView, WorkerView } from './view.ts'
import { isOfRun, nameOf, reasonOf } from './what-it-waits-for.ts'
import { startBrokers } from './without-leader.ts'

const WORK = ['rowmill', 'work', '--classifier']

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
  const { job, phase, waitsFor } = needs
  const help: Help = (why, ...commands) => {
    const lines = commands.map(words => commandLine([...words, ...placeOf(facts)]))
    return { why, command: lines.join(' && ') }
  }
  if (phase === 'cancelled') return null
  if (phase === 'failed') return helpAfterFailure(needs, help)
  if (phase === 'complete') return helpWhenComplete(needs, help)
  const found = waitsFor && helpWith(waitsFor, { ...needs, facts }, help)
  return found ?? (isOfRun({ job }) ? null : helpToCollect(needs, help))
}

/** Its rows are still being classified, and nobody writes them any more. */
function helpToCollect({ job, collector }: NeedsHelp, help: Help): HelpView | null {
  if (collector?.state !== 'gone') return null
  return help(
    `nobody writes its results: ${nameOf(collector)} ended${reasonOf(collector)}. Resume it`,
    collect(job, collector),
  )
}

/** One command after the other, if each succeeds. They get the pipeline and its brokers. */
type Help = (why: string, ...commands: readonly (readonly string[])[]) => HelpView

function helpAfterFailure({ job, collector }: NeedsHelp, help: Help): HelpView | null {
  const cure = job.reason === null ? 'repair' : afterOf(job.reason.code)
  if (cure === 'never' || !job.bounded) return null // a job of events has one attempt
  if (cure === 'repair-replay' && job.attempt === 0)
    return help(
      'its results contradict each other: repair the classifier, restart it, and publish the rows as another job',
      [...['rowmill', 'publish', job.source?.name ?? 'IN']],
    )
  if (isOfRun({ job })) return job.source && resumeRun('repair the classifier, then resume the run')
  return help(
    'repair the classifier, restart rowmill work with it, classify the missing rows again, and collect them',
    replay(job),
    collect(job, collector),
  )
}

function helpWhenComplete({ job, rejected, collector }: NeedsHelp, help: Help): HelpView | null {
  if (!job.bounded || isOfRun({ job })) return null
  if (rejected)
    return help(
      'repair the classifier, restart rowmill work with it, classify the rejected rows again, and collect all rows anew',
      replay(job),
      [...collect(job, null), '--force'], // whoever runs it names the file that it replaces
    )
  return collector === null ? help('if no file has its rows yet, write them to one', collect(job, null)) : null
}

const replay = ({ id }: Job) => ['rowmill', 'rejects', 'replay', '--job', id]
/** OUT is that of the collector which did it before, on its machine. */
const collect = ({ id }: Job, before: HeardProcess | null) => [
  ...['rowmill', 'collect', before?.report.uses?.output ?? 'OUT', '--job', id],
]

/** The classifier is that of the latest worker, on its machine. FILE: nobody told which one. */
function work(heard: readonly HeardProcess[]): string[] {
  const latest = heard.findLast(({ report }) => report.command === 'work' && report.uses?.classifier)
  return [...WORK, latest?.report.uses?.classifier ?? 'FILE']
}

function helpWith(
  { reason, worker: name, partition }: WaitView,
  { job, publisher, collector, workers, heard, facts }: NeedsHelp & { readonly facts: PipelineFacts },
  help: Help,
): HelpView | null {
  const { id } = job
  const isRun = (publisher ?? collector)?.report.command === 'run'
  switch (reason) {
    case 'publisher-silent':
      if (isRun) return resumedRun(job)
      if (job.source === null && job.bounded)
        return help('its input can be read only once: cancel it, and publish its rows as another job', [
          ...['rowmill', 'jobs', 'cancel', '--job', id],
        ])
      return help(
        `resume the publisher${placeOfProcess(publisher, facts)}, in the folder of its file, with the options that it began with`,
        ['rowmill', 'publish', job.source?.name ?? 'IN', '--job', id],
      )
    case 'no-worker':
      return isOfRun({ job }) ? resumedRun(job) : help('start a worker', work(heard))
    case 'no-collector':
    case 'collector-silent':
      if (isRun) return resumedRun(job)
      return help(`resume the collector${placeOfProcess(collector, facts)}`, collect(job, collector))
    case 'slow-batch': {
      const end = whenSlow(batchTimeoutOf(name, { workers, heard }))
      if (isOfRun({ job })) return { why: `wait: ${end}`, command: null }
      return help(`${end}. Meanwhile another worker classifies the other rows`, work(heard))
    }
    case 'worker-silent': {
      const worker = workers.find(each => each.name === name)
      const process = heard.find(({ report }) => report.process === worker?.process)
      if (!worker || !process) return null
      if (process.state === 'running') return endWorker(worker, process, facts.host)
      if (process.report.command === 'run') return resumedRun(job)
      return help(
        `end rowmill work on ${worker.host} (process ${process.report.pid}) if it hangs, and start it again there or on another machine`,
        work(heard),
      )
    }
    case 'no-leader':
      return help(startBrokers(facts.leaderless), ['rowmill', 'doctor'])
    case 'open-transaction': {
      const at = ['--topic', job.topic, '--partition', String(partition)]
      const words = ['kafka-transactions.sh', '--bootstrap-server', facts.brokers, 'describe-producers', ...at]
      const why =
        'Kafka ends it by itself after the transaction.timeout.ms of that producer (15 min at most, unless the broker says otherwise). ' +
        "Kafka's own tool shows whose it is, in the line with a CurrentTransactionStartOffset"
      return { why, command: commandLine(words) }
    }
    default:
      return null
  }
}

function batchTimeoutOf(name: string | null, { workers, heard }: Pick<NeedsHelp, 'workers' | 'heard'>): number | null {
  const worker = workers.find(each => each.name === name)
  const process = heard.find(({ report }) => report.process === worker?.process)
  return process?.report.working?.batchTimeout ?? null
}

/** What happens by itself if a batch hangs, and when. */
function whenSlow(seconds: number | null): string {
  const limit =
    seconds === null ? `--batch-timeout (default: ${OPTIONS.batchTimeout.fallback} s)` : `--batch-timeout ${seconds} s`
  return (
    `a call that takes longer than ${limit} ends by itself. The classifier is then started again, and classifies the batch ` +
    'again, up to twice. If that does not help, it gets smaller and smaller parts of the batch, and only the rows that hang are rejected'
  )
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

/** A run that reads standard input has to begin again. */
function resumedRun({ source }: Job): HelpView {
  return source ? resumeRun() : { why: 'start the run again: it cannot read its input twice', command: null }
}

/** Only the run can: its pipeline is its own. */
function resumeRun(why = 'resume the run'): HelpView {
  return { why: `${why}, with the OUT that it writes`, command: 'rowmill run --resume OUT' }
}

/** ` on vm`, if that is another machine. */
function placeOfProcess(process: HeardProcess | null, { host }: PipelineFacts): string {
  return process === null || process.report.host === host ? '' : ` on ${process.report.host}`
}

function placeOf({ brokers, pipeline }: PipelineFacts): string[] {
  return ['--pipeline', pipeline, '--brokers', brokers]
}

function afterOf(code: string): 'resume' | 'repair' | 'repair-replay' | 'never' {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS].after : 'repair'
}
