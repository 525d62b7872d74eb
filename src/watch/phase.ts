import type { JobState } from '../model.ts'
import type { JobPhase, JobRows } from './view.ts'

export interface PhaseFacts {
  readonly state: JobState
  readonly bounded: boolean
  readonly rows: JobRows
  /** Whether all rows are published, and each has a result. */
  readonly isClassified: boolean
  /** Whether a collector wrote everything, or none is known. */
  readonly isWritten: boolean
  /** Whether nothing moved for the stated time. */
  readonly isStill: boolean
}

/** Whether a job in this phase can still move. */
export function isOpen({ phase }: { readonly phase: JobPhase }): boolean {
  return phase !== 'complete' && phase !== 'failed' && phase !== 'cancelled'
}

/** Where a job is. See `JobPhase` for what each phase means. */
export function phaseOf({ state, bounded, rows, isClassified, isWritten, isStill }: PhaseFacts): JobPhase {
  if (state === 'failed' || state === 'cancelled') return state
  if (isClassified && isWritten) return 'complete'
  if (isClassified) return isStill ? 'stalled' : 'writing'
  // A job of events waits for its producer as long as that takes. A file does not.
  const rowsWait = bounded || (rows.published ?? 0) > (rows.classified ?? 0)
  if (isStill && rowsWait) return 'stalled'
  if (state === 'ended') return 'classifying'
  return (rows.published ?? 0) > 0 || (rows.classified ?? 0) > 0 ? 'publishing' : 'waiting'
}
