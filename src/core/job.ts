import { errorFromRecord, RowmillError } from '../errors.ts'
import { type Job, type JobState, optionOf } from '../model.ts'
import { isRemoved } from './removed-job.ts'

/** A larger job record is ignored: every part of a pipeline keeps all job records in memory. */
export const MAX_JOB_BYTES = 1024 * 1024

/** A later attempt is ignored. Readers keep a connection for each attempt of a job. */
export const MAX_ATTEMPT = 50

/** How many characters of an option a message shows. */
const OPTION_CHARS = 100

/** One attempt of a job. `resultsFrom` has, for each partition, the end of the results topic before its first result. */
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

/** Who wrote a record, compared with the records of the job before it. */
type Writer = 'current' | 'newer epoch' | 'older epoch' | 'later attempt' | 'earlier attempt'

/** By the state before the record and the state that the record says: the state after it. No entry: the record is ignored. */
type Transitions = { readonly [before in JobState]?: { readonly [said in JobState]?: JobState } }

const FAILURES = { failed: 'failed', cancelled: 'cancelled' } as const
const ANY = { open: 'open', ended: 'ended', ...FAILURES } as const

const TRANSITIONS: { readonly [writer in Writer]: Transitions } = {
  // The first failure or cancellation is final. A record that only repeats the opening reopens nothing.
  current: { open: ANY, ended: { open: 'ended', ended: 'ended', ...FAILURES } },
  // A producer takes over an open job. It reopens nothing.
  'newer epoch': { open: ANY },
  // The producer of an older epoch cannot end the job, but its workers can still fail it.
  'older epoch': { open: FAILURES, ended: FAILURES },
  // A later attempt starts afresh, whatever happened before.
  'later attempt': { open: ANY, ended: ANY, failed: ANY, cancelled: ANY },
  // The publisher may know only of an earlier attempt when it says that all rows are published.
  'earlier attempt': { open: { ended: 'ended' } },
}

function writerOf(record: Job, before: Job): Writer {
  if (record.attempt < before.attempt && record.epoch <= before.epoch) return 'earlier attempt'
  if (record.epoch < before.epoch) return 'older epoch'
  if (record.attempt > before.attempt) return 'later attempt'
  return record.epoch > before.epoch ? 'newer epoch' : 'current'
}

/**
 * The job after one more record. The first record fixes header, layout, source and options. A removal replaces all of
 * it, and no later record counts.
 */
export function foldJob(before: Job | undefined, record: Job): Job {
  if (!before) return record
  if (isRemoved(before)) return before
  if (isRemoved(record)) return record
  const writer = writerOf(record, before)
  const state = TRANSITIONS[writer][before.state]?.[record.state]
  if (!state) return before
  const total = record.total ?? before.total
  if (writer === 'earlier attempt') return { ...before, state, total }
  return {
    ...before,
    epoch: Math.max(before.epoch, record.epoch),
    attempt: Math.max(before.attempt, record.attempt),
    from: record.epoch > before.epoch ? record.from : before.from,
    state,
    reason: record.reason,
    total,
    at: record.at,
    by: record.by,
  }
}

/** The value of an option in JSON. Throws USAGE if it is not JSON: anybody can write a job record. */
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

/** How many output rows a row may have: `one`, or `any` number of them. */
export function rowsOption({ options }: Pick<Job, 'options'>): 'one' | 'any' {
  return optionOf(options, 'rows') === 'any' ? 'any' : 'one'
}

/** A key for one attempt of one job. */
export function attemptOf({ id, attempt }: Job): string {
  return `${id}/${attempt}`
}

export function hasFailed({ state }: Job): boolean {
  return state === 'failed' || state === 'cancelled'
}

/** The error that everyone who serves a failed job ends with. */
export function jobFailure({ id, attempt, state, reason, by }: Job): RowmillError {
  if (reason) return errorFromRecord({ ...reason, facts: { job: id, attempt, place: reason.place, told: true } })
  if (state === 'cancelled') return new RowmillError('JOB_CANCELLED', `job ${id} was cancelled by ${by}`, { job: id })
  return new RowmillError('JOB_FAILED', `job ${id} failed; ${by} gave no reason`, { job: id })
}
