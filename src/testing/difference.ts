import type { Batch } from '../core/batcher.ts'
import type { RowmillError } from '../errors.ts'
import type { Values } from '../model.ts'
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
  const [a, b] = [before.result as TestResult, after.result as TestResult]
  const differ = (what: string, one: string, other: string) =>
    `${what}: ${one} with ${before.name}, ${other} with ${after.name}`
  // If every row is rejected, nobody knows the columns.
  if (a.columns.length > 0 && b.columns.length > 0 && !same(a.columns, b.columns))
    return differ('columns', JSON.stringify(a.columns), JSON.stringify(b.columns))
  const [rowsA, rowsB] = [outcomes(a), outcomes(b)]
  for (let seq = 0; seq < rowsA.length; seq++) {
    const [one, other] = [rowsA[seq]!, rowsB[seq]!]
    if ('reason' in one && 'reason' in other) continue
    if ('reason' in one || 'reason' in other) return differ(`row ${seq}`, describe(one), describe(other))
    const column = one.findIndex((cell, at) => cell !== other[at])
    if (column >= 0) {
      const cell = (row: Values) => JSON.stringify(row[column])
      return differ(`row ${seq}, column ${a.columns[column]}`, cell(one), cell(other))
    }
  }
  return null
}

/** The outcome of each row that came in. */
function outcomes({ rows, rejects }: TestResult): (Values | TestReject)[] {
  const bySeq = new Map(rejects.map(reject => [reject.seq, reject]))
  const left = rows.values()
  return Array.from({ length: rows.length + rejects.length }, (_, seq) => bySeq.get(seq) ?? left.next().value!)
}

function describe(outcome: Values | TestReject): string {
  if (!('reason' in outcome)) return JSON.stringify(outcome)
  return `rejected (${outcome.reason} ${outcome.detail.split('\n', 1)[0]})`
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i])
}
