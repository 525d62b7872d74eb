import type { BatchAnswer } from '../classifier/boundary.ts'
import type { Batch } from '../core/batcher.ts'
import { lineOf } from '../core/describe-batch.ts'
import { attemptOf } from '../core/job.ts'
import type { Job, Result } from '../model.ts'
import { fewBytes, KindsOfColumns, type MetKinds, rowsThatShow } from '../probe/kinds-met.ts'
import type { KeptRow } from '../probe/sample.ts'
import { RecentlyUsed } from '../support/recently-used.ts'
import { decode, decodeResultHead, decodeValues } from '../wire/codec.ts'

/** So many jobs are remembered. An older one begins anew. */
const MOST_JOBS = 50

/** Notices kinds that a column of a job had in no batch of this worker before. */
export class KindsOfBatches {
  readonly #jobs = new RecentlyUsed(MOST_JOBS, () => new KindsOfColumns())

  /** Those results of the answer that have such kinds, with rows of the batch that show why. */
  met(batch: Batch, job: Job, { results }: BatchAnswer): MetKinds[] {
    const seen = this.#jobs.of(attemptOf(job))
    const met: MetKinds[] = []
    for (const bytes of results) {
      const { columns, kinds, count, rejected, outputs } = decodeResultHead(bytes)
      const hasRows = outputs ? outputs.some(rows => rows > 0) : count > rejected.length
      const isNew = hasRows ? seen.add(kinds) : []
      if (isNew.length === 0) continue
      const result = decode(bytes).value as Result
      const places = rowsThatShow(result, isNew).map(at => result.first - batch.first + at)
      met.push({ columns, kinds, rows: fewBytes(rowsAt(batch, places)) })
    }
    return met
  }
}

/** Some rows of a batch of a sequenced job, by their places in it. */
export function rowsAt({ parts }: Batch, places: readonly number[]): KeptRow[] {
  const rows = parts.flatMap(part => {
    const values = decodeValues(part.message.bytes)
    return Array.from({ length: part.count }, (_, i) => ({ part, at: part.skip + i, row: values[part.skip + i]! }))
  })
  return places.map(place => {
    const { part, at, row } = rows[place]!
    return { row, seq: part.message.head.seq! + at, line: lineOf(part, at) }
  })
}
