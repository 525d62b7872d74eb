import { statSync } from 'node:fs'
import { COMPLETE_WITH_REJECTS } from '../../errors.ts'
import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'
import { type FoundRun, isRunning } from '../found-run.ts'
import { FAILED, NOT_COMPLETE, STALLED } from './exit-code.ts'

/** What there is to say of a run without looking at its topics. */
export interface RunNews {
  readonly text: string
  /** The command that resumes it. Null: it is running, or over. */
  readonly command: string | null
  readonly exit: number
}

/** A run whose topics are not there: not yet, or no longer. */
export function describeRun(run: FoundRun): RunNews {
  const { resume } = run
  const output = nameOfOutput(run)
  if (isRunning(run)) return { text: `The run of ${output} is starting.`, command: null, exit: NOT_COMPLETE }
  return {
    text: `The run of ${output} was interrupted: its process has ended.${resume === null ? '' : ' To resume it:'}`,
    command: resume,
    exit: STALLED,
  }
}

/** How a run ended whose file is gone. `last` is what was seen of it last. */
export function endOfRun(run: FoundRun, last: PipelineView | null): RunNews {
  const { output, changedAt, job } = run
  if (output === '-') return endOfStream(last?.jobs.find(({ id }) => id === job))
  const written = statSync(output, { throwIfNoEntry: false })
  if (written === undefined || written.mtimeMs < changedAt)
    return { text: `The run of ${output} has ended without it. Its terminal says why.`, command: null, exit: FAILED }
  const rejected = last?.jobs.find(({ id }) => id === job)?.rows.rejected ?? 0
  const exit = rejected === 0 ? 0 : COMPLETE_WITH_REJECTS
  return { text: `The run is complete: ${output} is written.`, command: null, exit }
}

/** Only its terminal knows how a run to standard output ended, unless the last look at it did. */
function endOfStream(job: JobView | undefined): RunNews {
  const isClassified = job?.rows.total != null && job.rows.classified === job.rows.total
  if (job?.phase !== 'complete' && !isClassified)
    return { text: 'The run to standard output has ended. Its terminal says how.', command: null, exit: FAILED }
  const exit = job.rows.rejected ? COMPLETE_WITH_REJECTS : 0
  return { text: 'The run to standard output has ended, and every row was classified.', command: null, exit }
}

export function nameOfOutput({ output }: FoundRun): string {
  return output === '-' ? 'standard output' : output
}

/** A view of the pipeline of a run. What helps there is the command that resumes the run. */
export function viewOfRun(view: PipelineView, run: FoundRun): PipelineView {
  return { ...view, jobs: view.jobs.map(job => (job.id === run.job ? jobOfRun(job, run) : job)) }
}

/** A run starts its own workers and its collector: nobody else can. Its watcher may end a worker that hangs, or wait. */
function jobOfRunning(job: JobView): JobView {
  const { reason } = job.waitsFor ?? {}
  return { ...job, help: reason === 'worker-silent' || reason === 'slow-batch' ? job.help : null }
}

function jobOfRun(job: JobView, run: FoundRun): JobView {
  const help = { why: 'resume the run', command: run.resume }
  if (isRunning(run)) return jobOfRunning(job)
  if (!isOpen(job)) return { ...job, help }
  const text = `the process of rowmill run that writes ${nameOfOutput(run)} has ended`
  const waitsFor = { reason: 'run-ended', row: null, partition: null, worker: null, since: null, text } as const
  return { ...job, phase: 'stalled', etaSeconds: null, waitsFor, help }
}
