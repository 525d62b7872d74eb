import type { BatchInHand, WorkerReport, WorkingReport } from './report.ts'

/** A worker, and the batch in its classifier. */
export interface BusyWorker extends WorkerReport {
  readonly batch: BatchInHand
}

/** The worker whose classifier has had its batch for longest. Null: no worker has a batch. */
export function withOldestBatch({ workers }: WorkingReport): BusyWorker | null {
  const busy = workers.filter((worker): worker is BusyWorker => worker.batch !== null)
  return busy.toSorted((a, b) => b.batch.seconds - a.batch.seconds)[0] ?? null
}
