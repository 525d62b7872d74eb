import { type Job, optionOf } from '../model.ts'

/** The option that makes a job record a takeover point. No other record has it. */
const OPTION = 'takeoverPoint'

/**
 * Where the next producer starts to read. All rows below `from` are acknowledged. The rows of the epoch from there on
 * are at these offsets or above them. `closed`: the epoch has no such rows.
 */
export interface TakeoverPoint {
  readonly epoch: number
  readonly from: number
  /** One offset for each partition of the rows topic. */
  readonly rowsFrom: readonly number[]
  readonly closed: boolean
}

/** The newest epoch of a job, its producer, and the last takeover point. */
export interface JobEpochs {
  readonly epoch: number
  readonly by: string
  readonly takeoverPoint: TakeoverPoint
}

/**
 * The epochs of a job after one more of its records. The first record of an epoch decides which producer owns it. A
 * second producer that claimed the same epoch reads the name of the first, and claims the next epoch. A takeover point
 * counts only while its epoch is the newest: later the rows of newer producers may be at lower offsets.
 */
export function foldEpochs(before: JobEpochs | undefined, record: Job): JobEpochs {
  const { epoch, by, from, rowsFrom } = record
  if (!before) return { epoch, by, takeoverPoint: { epoch, from, rowsFrom, closed: false } }
  if (epoch > before.epoch) return { ...before, epoch, by }
  const kind = optionOf(record.options, OPTION)
  if (kind === undefined || epoch < before.epoch || record.state !== 'open') return before
  return { ...before, takeoverPoint: { epoch, from, rowsFrom, closed: kind === 'closed' } }
}

/** The job record of a takeover point. */
export function takeoverRecord(job: Job, point: TakeoverPoint, said: Pick<Job, 'at' | 'by'>): Job {
  const { epoch, from, rowsFrom, closed } = point
  const options = [{ name: OPTION, value: closed ? 'closed' : 'open' }]
  return { ...job, epoch, state: 'open', reason: null, total: null, from, rowsFrom, options, ...said }
}
