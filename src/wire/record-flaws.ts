import type { Job, Result, Rows } from '../model.ts'
import { MAX_LONG } from './avro-scan.ts'
import type { WireRecord } from './record.ts'

/** The contradiction in a record, as text, or null. Checks only what needs no other record. */
export function flawOf({ kind, value }: WireRecord): string | null {
  switch (kind) {
    case 'job':
      return jobFlaw(value)
    case 'rows':
      return headFlaw(value, value.rows.length)
    case 'end':
      return value.rows > value.total ? `${value.rows} rows in one partition, ${value.total} in all` : null
    case 'result':
      return resultFlaw(value)
    case 'reject':
      return null
  }
}

function jobFlaw({ partitions, blockRows, rowsFrom, resultsFrom }: Job): string | null {
  if (partitions < 1 || blockRows < 1) return `partitions ${partitions}, blockRows ${blockRows}: neither may be 0`
  if (rowsFrom.length !== partitions || resultsFrom.length !== partitions) {
    return `${partitions} partitions, but rowsFrom for ${rowsFrom.length} and resultsFrom for ${resultsFrom.length}`
  }
  return null
}

/** The contradiction in a rows message with this many rows, as text, or null. */
export function headFlaw({ seq, count, lineSteps }: Omit<Rows, 'rows'>, rows: number): string | null {
  if (count !== rows) return `count is ${count}, rows has ${rows}`
  if (lineSteps !== null && lineSteps.length !== count) return `count is ${count}, lineSteps has ${lineSteps.length}`
  return (seq ?? 0) + count > MAX_LONG ? `seq ${seq} and count ${count} go beyond ${MAX_LONG}` : null
}

function resultFlaw({ rows, ...head }: Result): string | null {
  const flaw = resultHeadFlaw(head, rows.length)
  if (flaw !== null) return flaw
  const width = head.columns.length
  const odd = rows.findIndex(row => row.length !== width)
  return odd < 0 ? null : `${width} columns, row ${odd} has ${rows[odd]?.length} cells`
}

/** The contradiction in a result with this many rows, as text, or null. Does not look at the rows. */
export function resultHeadFlaw(
  { first, count, columns, kinds, rejected, outputs }: Omit<Result, 'rows'>,
  rows: number,
): string | null {
  const flaw = outputs ? outputsFlaw({ count, rejected, outputs, rows }) : null
  if (flaw !== null) return flaw
  if (!outputs && count !== rows + rejected.length) {
    return `count is ${count}, rows has ${rows} and rejected ${rejected.length}`
  }
  if (first + count > MAX_LONG) return `first ${first} and count ${count} go beyond ${MAX_LONG}`
  if (kinds.length !== columns.length) return `${columns.length} columns, ${kinds.length} kinds`
  let last = -1
  for (const { index } of rejected) {
    if (index <= last || index >= count) return `rejected index ${index} after ${last}, count is ${count}`
    last = index
  }
  return null
}

function outputsFlaw({
  count,
  rejected,
  outputs,
  rows,
}: Pick<Result, 'count' | 'rejected'> & { readonly outputs: readonly number[]; readonly rows: number }): string | null {
  if (outputs.length !== count) return `count is ${count}, outputs has ${outputs.length}`
  const sum = outputs.reduce((sum, each) => sum + each, 0)
  if (sum !== rows) return `outputs says ${sum} rows, rows has ${rows}`
  const odd = rejected.find(({ index }) => outputs[index] !== 0)
  return odd ? `rejected index ${odd.index} has ${outputs[odd.index]} output rows` : null
}

/** Where `value` has half a surrogate pair, as `.rows[3][2]`, or null. */
export function loneSurrogate(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : ''
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const where = loneSurrogate(value[i])
      if (where !== null) return `[${i}]${where}`
    }
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    for (const [name, field] of Object.entries(value)) {
      const where = loneSurrogate(field)
      if (where !== null) return `.${name}${where}`
    }
  }
  return null
}
