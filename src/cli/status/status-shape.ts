import type { PipelineView } from '../../watch/view.ts'
import { exitOf } from './exit-code.ts'

/** What `rowmill status --output json` prints, in this order. docs/watch.md describes what is in the lists. */
export const STATUS = {
  line: 'each look',
  fields: {
    at: 'when it looked, in milliseconds since 1970',
    pipeline: 'the pipeline',
    brokers: 'its brokers',
    unreachableSince: 'since when no broker answers, in milliseconds since 1970; null: they answer',
    exit: 'the exit code of a command that ends now: 0, 4, 7, 8 or 9',
    jobs: 'the job, or without JOB all jobs in the order in which they were opened: phase, rows, rates, what each waits for, failure and help',
    workers: 'the workers: state, partitions, batch in hand, rows, restarts and restarts of their classifiers',
    processes: 'the commands that report',
    events: 'what happened since the command began, at most the last 200',
    note: 'a sentence about the run that the pipeline belongs to, or null',
  },
}

/** The line of one look. With the id of a job it has that job alone. */
export function statusLine(
  { jobs, ...view }: PipelineView,
  { job: id, note }: { job: string | null; note: string | null },
) {
  const shown = id === null ? jobs : jobs.filter(job => job.id === id)
  return { ...view, jobs: shown, exit: exitOf({ ...view, jobs }, id), note }
}
