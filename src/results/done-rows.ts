import { IntervalSet } from '../core/intervals.ts'
import type { Job, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { readResultsNow } from './snapshot.ts'

/**
 * The positions of one partition that have a row in `results`: what a later attempt need not classify. The first copy of
 * a position counts within its attempt, as it does for every reader: a reject stays one, whatever later copies say.
 */
export class DoneRows {
  readonly positions = new IntervalSet()
  /** By attempt, the position behind the last result. */
  readonly #next = new Map<number, number>()

  add({ attempt, first, count, rejected }: Result): void {
    const next = this.#next.get(attempt) ?? 0
    let from = Math.max(first, next)
    for (const { index } of rejected) {
      if (first + index < from) continue
      this.positions.add(from, first + index)
      from = first + index + 1
    }
    this.positions.add(from, first + count)
    this.#next.set(attempt, Math.max(next, first + count))
  }
}

/** What is done of the job in these partitions by now. Throws the reason of `signal`. */
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
