import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Classifiers with a column whose kind follows from all rows of a batch, and `each_alone`. */
export const KINDS_BY_BATCH = join(import.meta.dirname, '../probe/fixtures/kinds_by_batch.py')

/** The names of those that look at other rows. */
export const DEPENDENT = [...readFileSync(KINDS_BY_BATCH, 'utf8').matchAll(/^def (\w+)\(df\)/gm)]
  .map(([, name]) => name!)
  .filter(name => name !== 'each_alone')

export const COLUMNS = ['ID', 'N']

/** The values of a row. In a rare one their columns have another kind, and N looks as in any other. */
export function cellsOf(seq: number, isRare: boolean): string[] {
  return [`${seq}`, isRare ? `9${1000 + seq}` : `${seq}`]
}
