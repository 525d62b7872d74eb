import type { Batch } from '../core/batcher.ts'
import type { RowmillError } from '../errors.ts'
import type { Values } from '../model.ts'
import { describeOutcome, differencesOf, type Outcomes } from '../probe/compare.ts'
import type { TestReject, TestResult } from './result.ts'

/** The result of the rows in one cut, or the error that ended the job. */
export interface Named {
  readonly name: string
  readonly result: TestResult | Error
  /** The smallest batch that was refused although each of its rows has a result, in words. Null: there is none. */
  readonly refused: string | null
}

/** A batch that was refused although each of its rows has a result, in words. */
export function describeRefused({ count, parts }: Batch, { code, message }: RowmillError): string {
  const { message: first, skip } = parts[0]!
  const rows = `${count} rows together, row ${first.head.seq! + skip} first`
  const reason = message.split('\n', 1)[0]!.replace(/\.$/, '')
  return `${rows}: ${code} ${reason}. In smaller batches each of them has a result`
}

/**
 * Where two cuts of the same rows first differ, in words. Null: they do not differ. The texts of rejects may differ. A batch
 * that was refused as a whole differs from its own rows.
 */
export function describeDifference(before: Named, after: Named): string | null {
  const failed = [before, after].find(({ result }) => result instanceof Error)
  if (failed) return `${failed.name}: ${(failed.result as Error).message}`
  const refused = [before, after].find(named => named.refused !== null)
  if (refused) return `${refused.refused} (with ${refused.name})`
  const [a, b] = [before, after].map(({ result }) => outcomesOf(result as TestResult)) as [Outcomes, Outcomes]
  const differ = (what: string, one: string, other: string) =>
    `${what}: ${one} with ${before.name}, ${other} with ${after.name}`
  for (const difference of differencesOf(a, b)) {
    const { what, one, other } = difference
    if (what === 'columns') return differ('columns', JSON.stringify(one), JSON.stringify(other))
    if (what === 'outcome') return differ(`row ${difference.row}`, describeOutcome(one), describeOutcome(other))
    const place = `row ${difference.row}, column ${a.columns[difference.column]}`
    return differ(place, JSON.stringify(one), JSON.stringify(other))
  }
  return null
}

function outcomesOf({ columns, rows, seqs, rejects }: TestResult): Outcomes {
  const outcomes: (Values[] | TestReject)[] = []
  for (const reject of rejects) outcomes[reject.seq] = reject
  for (const [at, row] of rows.entries()) {
    const seq = seqs[at]!
    const before = outcomes[seq] as Values[] | undefined
    outcomes[seq] = [...(before ?? []), row]
  }
  return { columns, rows: Array.from(outcomes, outcome => outcome ?? []) } // the rows between were dropped
}
