import { type Job, optionOf } from '../model.ts'

/** The option that makes a job record a removal. No other record has it. */
const OPTION = 'removed'

/** Whether a record removes its job, or whether a job was removed. */
export function isRemoved({ state, options }: Pick<Job, 'state' | 'options'>): boolean {
  return state === 'cancelled' && optionOf(options, OPTION) !== undefined
}

/**
 * The job record that removes a job: a cancellation that readers keep instead of the job. It is small, because it has no
 * columns and no options. `rowsFrom` is where the topic of its rows ends now, so every row of the job is below.
 *
 * A reader of an older version takes the record for a cancellation. It skips the rows of the job, as it should.
 */
export function removalRecord(
  { id, epoch, attempt, sequenced, bounded, partitions, blockRows, topic }: Job,
  { rowsFrom, at, by, who }: Pick<Job, 'rowsFrom' | 'at' | 'by'> & { readonly who: string },
): Job {
  return {
    ...{ id, epoch, attempt, sequenced, bounded, partitions, blockRows, topic, rowsFrom, at, by },
    state: 'cancelled',
    reason: { code: 'JOB_CANCELLED', place: null, message: `job ${id} was removed by ${who}` },
    columns: [],
    from: 0,
    total: null,
    resultsFrom: rowsFrom.map(() => 0),
    source: null,
    indexKind: null,
    options: [{ name: OPTION, value: 'true' }],
  }
}
