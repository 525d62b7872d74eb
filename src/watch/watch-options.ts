import type { Time } from '../support/clock.ts'
import type { Pace } from './pace.ts'

export interface PipelineWatchOptions {
  /** Only this job. Default: the open jobs and the latest ones, 100 in all. */
  readonly job?: string | null
  /** Whether to read the results of the latest job too if it is complete: only they say how many of its rows were rejected. */
  readonly countsLatest?: boolean
  /** A job is stalled if rows wait and nothing moved for so long. Default: 60. */
  readonly stalledAfterSeconds?: number
  /** How often `start` looks. Default: 1000. */
  readonly everyMs?: number
  /** When `start` looks instead, if it may rest while nobody asks. */
  readonly pace?: Pace
  /** Default: real time. */
  readonly time?: Time
  /** Milliseconds since 1970. Default: Date.now. */
  readonly wallClock?: () => number
}
