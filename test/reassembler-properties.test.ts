import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EndOfInput, Rejected, Result } from '../src/model.ts'
import { Reassembler } from '../src/reassembler.ts'
import { type Layout, placeOf, rowsInPartition, seqOf } from '../src/sequence.ts'

type Record = Result | EndOfInput
const isResult = (record: Record): record is Result => 'count' in record

const layouts = fc.record({ partitions: fc.integer({ min: 1, max: 7 }), blockRows: fc.integer({ min: 1, max: 5 }) })

/** A job as it may lie in the topic: which rows were rejected, and the log of each partition. */
interface Log {
  readonly layout: Layout
  readonly total: number
  readonly rejected: ReadonlySet<number>
  readonly partitions: readonly (readonly Record[])[]
}

const logs: fc.Arbitrary<Log> = fc
  .tuple(layouts, fc.nat(120), fc.infiniteStream(fc.nat(1000)))
  .map(([layout, total, dice]) => {
    const roll = (sides: number) => dice.next().value! % sides
    const rejected = new Set(Array.from({ length: total }, (_, seq) => seq).filter(() => roll(8) === 0))
    const partitions = Array.from({ length: layout.partitions }, (_, partition) => {
      const rows = rowsInPartition(partition, total, layout)
      const make = (first: number, count: number, firstCopies: number): Result =>
        resultOf({ layout, partition, first, count, rejected, firstCopies, attempt: roll(2) })
      const log: Record[] = []
      for (let next = 0; next < rows; ) {
        const count = Math.min(rows - next, 1 + roll(6))
        const back = roll(3) === 0 ? roll(next + 1) : 0
        log.push(make(next - back, back + count, next))
        next += count
        if (roll(4) === 0) log.push(make(roll(next), 1, next)) // a copy of what is there, by a zombie
      }
      const end = { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total, refused: 0 }
      const behind = rows > 0 && roll(3) === 0 ? [make(0, 1 + roll(rows), rows)] : []
      return [...log, end, ...behind, ...(roll(3) === 0 ? [end] : [])]
    })
    return { layout, total, rejected, partitions }
  })

/** A result whose rows say their seq; those below `firstCopies` were there before, and say something else now. */
function resultOf(made: {
  layout: Layout
  partition: number
  first: number
  count: number
  rejected: ReadonlySet<number>
  firstCopies: number
  attempt: number
}): Result {
  const { layout, partition, first, count, firstCopies, attempt } = made
  const rejected: Rejected[] = []
  const rows: string[][] = []
  for (let index = 0; index < count; index++) {
    const seq = seqOf({ partition, position: first + index }, layout)
    const isCopy = first + index < firstCopies
    // A copy may also reject what was classified, and classify what was rejected.
    if (made.rejected.has(seq) !== isCopy)
      rejected.push({ index, seq, line: null, reason: 'FAILED', detail: '', values: [] })
    else rows.push([isCopy ? `another answer for ${seq}` : String(seq)])
  }
  const stamp = { classifier: new Uint8Array(8), by: 'w', columns: ['c'], kinds: ['text'] }
  return { job: 'j', epoch: 0, from: 0, attempt, first, count, offset: 0, ...stamp, rejected, rows }
}

/** Reads as a collector does, the wanted partition, and by `stray` now and then another one; until nothing is left. */
function readAll({ layout, partitions }: Log, stray: readonly number[] = []) {
  const reassembler = new Reassembler('j', layout)
  const left = partitions.map(log => [...log])
  const out: string[] = []
  for (let step = 0; ; step++) {
    const isOther = stray.length > 0 && stray[step % stray.length]! < layout.partitions
    const partition = reassembler.complete
      ? left.findIndex(log => log.length > 0)
      : isOther
        ? stray[step % stray.length]!
        : reassembler.wanted
    if (partition < 0) break
    const record = left[partition]!.shift()
    if (!record && isOther) continue
    assert.ok(record, `partition ${partition} is wanted and has nothing left`)
    if (isResult(record)) reassembler.offer(partition, record, 'here')
    else reassembler.end(partition, record, 'here')
    out.push(...reassembler.take().map(([cell]) => cell!))
  }
  return { reassembler, out }
}

test('for any log, read in any interleaving, the first copy of every row comes out once and in order', () => {
  fc.assert(
    fc.property(logs, fc.array(fc.nat(20), { maxLength: 40 }), (log, stray) => {
      fc.pre(stray.length === 0 || stray.some(each => each >= log.layout.partitions)) // or the wanted one never comes
      const { reassembler, out } = readAll(log, stray)
      const all = Array.from({ length: log.total }, (_, seq) => seq)
      assert.deepEqual(out, all.filter(seq => !log.rejected.has(seq)).map(String))
      const positions = log.partitions.flat().reduce((sum, record) => sum + (isResult(record) ? record.count : 0), 0)
      const counts = { rows: out.length, rejects: log.rejected.size, duplicates: positions - log.total }
      assert.deepEqual([reassembler.counts, reassembler.complete], [counts, true])
    }),
    { numRuns: 300 },
  )
})

test('a row that is in no result is named, and what lies behind it never comes out', () => {
  fc.assert(
    fc.property(logs, fc.nat(), (log, which) => {
      fc.pre(log.total > 0)
      const lost = which % log.total
      const { partition, position } = placeOf(lost, log.layout)
      const without = (record: Record, index: number): Record[] => {
        if (index !== partition || !isResult(record)) return [record]
        const holds = record.first <= position && position < record.first + record.count
        return holds ? [] : [record]
      }
      const partitions = log.partitions.map((records, index) => records.flatMap(record => without(record, index)))
      const seqs: number[] = []
      assert.throws(
        () => seqs.push(...readAll({ ...log, partitions }).out.map(Number)),
        (error: { code?: string; facts?: { partition?: number; expected?: number } }) => {
          assert.equal(error.code, 'ROW_GAP')
          assert.equal(error.facts!.partition, partition)
          assert.ok(error.facts!.expected! <= position)
          return true
        },
      )
      assert.deepEqual(seqs, [])
    }),
    { numRuns: 300 },
  )
})

test('an end of input that says another number is refused, whichever partition tells it', () => {
  fc.assert(
    fc.property(logs, fc.nat(), fc.constantFrom(-1, 1, 7), (log, which, wrong) => {
      const liar = which % log.layout.partitions
      const partitions = log.partitions.map((records, partition) =>
        records.map(record =>
          isResult(record) || partition !== liar ? record : { ...record, rows: Math.max(0, record.rows + wrong) },
        ),
      )
      fc.pre(
        partitions[liar]!.some(
          (record, i) =>
            !isResult(record) &&
            record !== log.partitions[liar]![i] &&
            record.rows !== (log.partitions[liar]![i] as EndOfInput).rows,
        ),
      )
      assert.throws(() => readAll({ ...log, partitions }), { code: 'ROW_MALFORMED' })
    }),
  )
})
