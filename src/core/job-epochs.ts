import { type Job, optionOf } from '../model.ts'

/** The option by which a job record says that it is a mark. No other record has it. */
const MARK = 'mark'

/**
 * A place in the rows topic from which the rows of a job are found: every row below `from` is acknowledged, and every
 * row of the epoch from there on lies at or above these offsets. `closed`: the epoch has no row from there on.
 */
export interface Mark {
  readonly epoch: number
  readonly from: number
  /** One offset for each partition. */
  readonly rowsFrom: readonly number[]
  readonly closed: boolean
}

/** The newest epoch of a job, who began it, and the last mark. */
export interface JobEpochs {
  readonly epoch: number
  readonly by: string
  readonly mark: Mark
}

/**
 * What is known of the epochs of a job after one more of its records. An epoch is of whose record is the first of it in
 * the log: others that wanted it find another name there, and go on with the next. A mark counts while its epoch is the
 * newest: so whoever takes over reads from there, and leaves out what is older than its epoch.
 */
export function foldEpochs(before: JobEpochs | undefined, record: Job): JobEpochs {
  const { epoch, by } = record
  if (!before) return { epoch, by, mark: { epoch, from: record.from, rowsFrom: record.rowsFrom, closed: false } }
  if (epoch > before.epoch) return { ...before, epoch, by }
  const kind = optionOf(record.options, MARK)
  if (kind === undefined || epoch < before.epoch || record.state !== 'open') return before
  return { ...before, mark: { epoch, from: record.from, rowsFrom: record.rowsFrom, closed: kind === 'closed' } }
}

/** The record that says a mark. */
export function markRecord(job: Job, { epoch, from, rowsFrom, closed }: Mark, said: Pick<Job, 'at' | 'by'>): Job {
  const options = [{ name: MARK, value: closed ? 'closed' : 'open' }]
  return { ...job, epoch, state: 'open', reason: null, total: null, from, rowsFrom, options, ...said }
}
