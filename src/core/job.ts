import { errorFromRecord, RowmillError } from '../errors.ts'
import { type Job, optionOf } from '../model.ts'

/** Everyone who serves a pipeline keeps all of its job records in memory: a larger one is ignored. */
export const MAX_JOB_BYTES = 1024 * 1024

/** How much of an option a message shows. */
const OPTION_CHARS = 100

/** One attempt of a job, and per partition the end of the results topic before the first result of it. */
export interface Attempt {
  readonly attempt: number
  readonly resultsFrom: readonly number[]
}

/** What every new job must say. The other fields have the values of a file that is about to be published. */
type NewJob = Partial<Job> &
  Pick<Job, 'id' | 'columns' | 'partitions' | 'blockRows' | 'topic' | 'rowsFrom' | 'resultsFrom' | 'at' | 'by'>

/** The first record of a job. */
export function newJob(job: NewJob): Job {
  return {
    epoch: 0,
    attempt: 0,
    state: 'open',
    reason: null,
    sequenced: true,
    bounded: true,
    from: 0,
    total: null,
    source: null,
    indexKind: null,
    options: [],
    ...job,
  }
}

/**
 * What a job is after one more record. The first record fixes header, layout, source and options for ever. Within an
 * attempt the first failure or cancellation counts; only a later attempt opens the job again, and what an earlier one
 * still says then does not count, but that all its rows are published. A later epoch opens nothing: it takes over a job
 * that is open, and what the producer of an earlier one still says then, its end included, does not count.
 */
export function foldJob(before: Job | undefined, record: Job): Job {
  if (!before) return record
  if (record.attempt < before.attempt && record.epoch <= before.epoch) {
    const ends = record.state === 'ended' && before.state === 'open'
    return ends ? { ...before, state: 'ended', total: record.total ?? before.total } : before
  }
  const later = record.attempt > before.attempt
  if (hasFailed(before) && !later) return before
  if (record.epoch > before.epoch && before.state === 'ended' && !later) return before
  if (record.epoch < before.epoch && !hasFailed(record)) return before
  const reopens = record.state === 'open' && !later
  return {
    ...before,
    epoch: Math.max(before.epoch, record.epoch),
    attempt: Math.max(before.attempt, record.attempt),
    from: record.epoch > before.epoch ? record.from : before.from,
    state: reopens ? before.state : record.state,
    reason: reopens ? before.reason : record.reason,
    total: record.total ?? before.total,
    at: record.at,
    by: record.by,
  }
}

/** An option whose value is JSON. Throws USAGE where it is not: anybody can write a job record. */
export function jsonOptionOf(
  { id, options }: { id?: string; options: Job['options'] },
  name: string,
  fallback: string,
) {
  const text = optionOf(options, name) ?? fallback
  try {
    return JSON.parse(text)
  } catch (cause) {
    const whose = id === undefined ? 'the job' : `job ${id}`
    const message = `the option ${name} of ${whose} is not JSON: ${JSON.stringify(text.slice(0, OPTION_CHARS))}`
    throw new RowmillError('USAGE', message, { option: name }, { cause })
  }
}

/** A name for one attempt of one job. */
export function attemptOf({ id, attempt }: Job): string {
  return `${id}/${attempt}`
}

export function hasFailed({ state }: Job): boolean {
  return state === 'failed' || state === 'cancelled'
}

/** What a failed job ends everyone with who serves it. */
export function jobFailure({ id, attempt, state, reason, by }: Job): RowmillError {
  if (reason) return errorFromRecord({ ...reason, facts: { job: id, attempt, place: reason.place, told: true } })
  if (state === 'cancelled') return new RowmillError('JOB_CANCELLED', `job ${id} was cancelled by ${by}`, { job: id })
  return new RowmillError('JOB_FAILED', `job ${id} failed; ${by} gave no reason`, { job: id })
}
