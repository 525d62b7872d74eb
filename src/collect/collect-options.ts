import type { JobSummary, Sink } from '../connector.ts'
import type { Rejected } from '../model.ts'
import type { CollectingReport } from '../reports/report.ts'

export interface CollectOptions {
  /** The id of the job. */
  readonly job: string
  readonly sink: Sink
  /** Whether the output grows as rows arrive, for a job that does not end. Other jobs are then refused. Default: false. */
  readonly follow?: boolean
  /** The most work, in ms, that is repeated after a collector was killed. Default: 1000. */
  readonly checkpointMs?: number
  /** How often, without progress, it looks for lost rows, in ms. Default: 10,000. */
  readonly lookEveryMs?: number
  /** Awaited after the last row, before the output gets its name. If it rejects, it never does. */
  mayCommit?(): Promise<void>
  /** Called when results were read, with the number of rows so far that have one, in order or not. */
  onArrival?(rows: number): void
  /** Called with rows that are left out. */
  onRejected?(rejected: readonly Rejected[]): void
  /** Called when the next row in order came, with the seconds that the output waited for it. */
  onWaited?(seconds: number): void
  /** Called from time to time with the numbers of rows classified, written and rejected so far. */
  onProgress?(classified: number, written: number, rejected: number): void
  /** Called when it begins to read, with what tells how far it is and what it waits for. Again if the output starts over. */
  onBegin?(look: () => CollectingReport): void
}

export interface Collected extends JobSummary {
  readonly duplicates: number
  /** The first rejects since the checkpoint from which it resumed, 100 at most. */
  readonly rejected: readonly Rejected[]
  /** For each worker, how many rows of the output it classified. */
  readonly rowsByWorker: ReadonlyMap<string, number>
}
