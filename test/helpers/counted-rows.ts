import assert from 'node:assert/strict'
import type { EndOfInput, Rows, Values } from '../../src/model.ts'
import type { WireRecord } from '../../src/wire/record.ts'

/** A row that a producer reported as safe. */
export interface SafeRow {
  readonly producer: string
  readonly seq: number
  readonly values: Values
}

export interface CountedRows {
  /** The rows that count, by seq. */
  readonly rows: ReadonlyMap<number, Values>
  /** The ends of input of the newest epoch, by partition. */
  readonly ends: readonly (EndOfInput | null)[]
  readonly epoch: number
}

/**
 * Which rows of a sequenced event job count, straight from the rule and row by row. In one partition, rows of lower
 * epochs after a message of an epoch are dropped. A row counts if its seq is below the `from` of every later epoch. A
 * barrier has no `from`.
 */
export function countRows(partitions: readonly (readonly WireRecord[])[], job: string): CountedRows {
  const from = new Map<number, number>()
  const rows: Rows[] = []
  const ends: EndOfInput[] = []
  for (const records of partitions) {
    let highest = 0
    for (const { kind, value } of records) {
      if ((kind !== 'rows' && kind !== 'end') || value.job !== job || value.epoch < highest) continue
      highest = value.epoch
      if (kind === 'rows' && value.count === 0) continue
      assert.ok([undefined, value.from].includes(from.get(value.epoch)), `epoch ${value.epoch} has two froms`)
      from.set(value.epoch, value.from)
      if (kind === 'rows') rows.push(value)
      else ends.push(value)
    }
  }
  const counted = new Map<number, Values>()
  for (const { epoch, seq, rows: values } of rows) {
    if ([...from].some(([later, at]) => later > epoch && seq! >= at)) continue
    const known = counted.get(seq!)
    if (known) assert.deepEqual(values[0], known, `row ${seq} counts twice`)
    else counted.set(seq!, values[0]!)
  }
  const epochs = partitions.flatMap(records => records.map(({ kind, value }) => (kind === 'rows' ? value.epoch : 0)))
  const epoch = epochs.reduce((max, each) => Math.max(max, each), 0)
  const endOf = (partition: number) => ends.find(end => end.partition === partition && end.epoch === epoch) ?? null
  return { rows: counted, ends: partitions.map((_, partition) => endOf(partition)), epoch }
}

/**
 * The invariants of producers, by name. hole: the rows that count are 0, 1, 2, ...; lost: every row reported as safe
 * counts, as it was sent; twice: no two producers got the same seq. Returns how many rows count.
 */
export function checkRows({ rows }: CountedRows, safe: readonly SafeRow[]): number {
  for (let seq = 0; seq < rows.size; seq++) assert.ok(rows.has(seq), `hole: row ${seq} of ${rows.size} is missing`)
  const told = new Map<number, string>()
  for (const { producer, seq, values } of safe) {
    assert.equal(told.get(seq), undefined, `twice: row ${seq} is safe for ${told.get(seq)} and for ${producer}`)
    told.set(seq, producer)
    assert.deepEqual(rows.get(seq), values, `lost: row ${seq} of ${producer}`)
  }
  return rows.size
}
