import { join } from 'node:path'

/** Classifiers with a column whose kind follows from all rows of a batch, and `each_alone`. */
export const KINDS_BY_BATCH = join(import.meta.dirname, '../probe/fixtures/kinds_by_batch.py')

/** For each of these classifiers, the cell of most rows and that of a few. */
const CELLS: Readonly<Record<string, readonly [usual: (seq: number) => string, odd: (seq: number) => string]>> = {
  gaps_as_text: [seq => `${seq}`, () => ''],
  no_times: [seq => `${seq}`, () => ''],
  answers_and_numbers: [seq => `${seq}`, seq => `${seq % 2 ? 'yes' : 'no'}${seq}`],
  answers: [seq => (seq % 2 ? 'yes' : 'no'), () => ''],
  names: [seq => `n${seq}`, () => ''],
  long_numbers: [seq => `${seq}`, seq => `${2n ** 63n + BigInt(seq)}`],
}

export const DEPENDENT = Object.keys(CELLS)
export const COLUMNS = ['ID', ...DEPENDENT.map(name => name.toUpperCase())]

/** The values of a row: a column for each classifier. */
export function cellsOf(seq: number, isOdd: boolean): string[] {
  return [`${seq}`, ...Object.values(CELLS).map(([usual, odd]) => (isOdd ? odd : usual)(seq))]
}
