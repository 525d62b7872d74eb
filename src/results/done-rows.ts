import { IntervalSet } from '../core/intervals.ts'
import { RowLedger } from '../core/row-ledger.ts'
import type { Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { readResultsNow } from './snapshot.ts'

/**
 * The positions of one partition that have a row in `results`: a later attempt need not classify them. As for every
 * reader, the first copy of a position counts within its attempt. A reject stays a reject, whatever later copies say.
 */
export class DoneRows {
  readonly positions = new IntervalSet()
  readonly #ledger = new RowLedger()

  add(result: Result): void {
    const { first, count, rejected } = result
    const { end, ...counted } = this.#ledger.take(result, first, count)
    let { from } = counted
    for (const { index } of rejected) {
      if (first + index < from) continue
      this.positions.add(from, first + index)
      from = first + index + 1
    }
    this.positions.add(from, end)
  }
}

/** The finished rows of the job in these partitions, as of now. Throws the reason of `signal`. */
export async function findDone(
  context: PipelineContext,
  job: Job,
  partitions: readonly number[],
): Promise<Map<number, DoneRows>> {
  const done = new Map(partitions.map(partition => [partition, new DoneRows()]))
  await readResultsNow(context, { job, partitions }, (partition, { kind, value }) => {
    if (kind === 'result') done.get(partition)!.add(value)
  })
  return done
}
