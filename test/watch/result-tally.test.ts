import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rowsInPartition } from '../../src/core/sequence.ts'
import { ResultTally } from '../../src/watch/result-tally.ts'
import type { RejectedHead, ResultOutline } from '../../src/wire/result-head.ts'
import { resultRecord } from '../helpers/result-record.ts'

const LAYOUT = { partitions: 3, blockRows: 4, sequenced: true }
const JOB = { attempt: 0, epoch: 0 }
const TOTAL = 50
const AT = 1_000_000

const reject = (index: number, reason = 'R'): RejectedHead => ({ index, seq: null, line: null, reason, detail: 'd' })
const result = (more: Partial<ResultOutline>) => ({ kind: 'result', value: { ...resultRecord(), ...more } }) as const

interface Copy {
  readonly partition: number
  readonly first: number
  readonly count: number
  readonly attempt: number
  readonly rejects: boolean
}

const anyCopy = fc.nat(2).chain(partition =>
  fc.record({
    partition: fc.constant(partition),
    first: fc.nat(rowsInPartition(partition, TOTAL, LAYOUT) - 1),
    count: fc.integer({ min: 1, max: 6 }),
    attempt: fc.nat(2),
    rejects: fc.boolean(),
  }),
)

/** What every reader makes of the copies: in an attempt the first one counts, and a row of any attempt beats a reject. */
function expected(copies: readonly Copy[]) {
  const rows = new Map<string, Map<number, boolean>>()
  for (const { partition, first, count, attempt, rejects } of copies) {
    for (let position = first; position < first + count; position++) {
      const key = `${partition}/${position}`
      const byAttempt = rows.get(key) ?? new Map<number, boolean>()
      rows.set(key, byAttempt)
      if (!byAttempt.has(attempt)) byAttempt.set(attempt, rejects && position === first)
    }
  }
  const rejected = [...rows.values()].filter(byAttempt => [...byAttempt.values()].every(isReject => isReject)).length
  let row = 0
  const isSeen = (seq: number) => {
    const block = Math.floor(seq / LAYOUT.blockRows)
    const position = Math.floor(block / LAYOUT.partitions) * LAYOUT.blockRows + (seq % LAYOUT.blockRows)
    return rows.has(`${block % LAYOUT.partitions}/${position}`)
  }
  while (isSeen(row)) row++
  return { classified: rows.size, rejected, row }
}

test('copies in any order, of several attempts, are counted as a reader counts them', () => {
  fc.assert(
    fc.property(fc.array(anyCopy, { maxLength: 60 }), copies => {
      const tally = new ResultTally(LAYOUT)
      let rows = 0
      for (const { partition, first, count, attempt, rejects } of copies)
        rows += tally.take(partition, result({ first, count, attempt, rejected: rejects ? [reject(0)] : [] }), AT)
      const { classified, rejected, byReason, firstMissing, partitions } = tally.counts(
        { ...JOB, attempt: 2 },
        [0, 1, 2],
      )
      const right = expected(copies)
      assert.deepEqual([classified, rejected, firstMissing!.row], [right.classified, right.rejected, right.row])
      assert.equal(byReason['R'] ?? 0, rejected)
      assert.equal(
        partitions.reduce((sum, each) => sum + each.classified, 0),
        classified,
      )
      assert.ok(rows >= classified)
    }),
    { numRuns: 2000 },
  )
})

test('results of an attempt that does not count are not counted', () => {
  const tally = new ResultTally(LAYOUT)
  tally.take(0, result({ count: 4, rejected: [reject(1)] }), AT)
  tally.take(0, result({ first: 1, count: 1, attempt: 1 }), AT)
  const counts = (attempts: number[]) => tally.counts({ ...JOB, attempt: 1 }, attempts).rejected
  assert.deepEqual([counts([0, 1]), counts([0])], [0, 1])
})

test('a later reject of a row says why, and rejects that got a row are no longer among the last five', () => {
  const tally = new ResultTally(LAYOUT)
  tally.take(0, result({ count: 4, rejected: [0, 1, 2].map(index => reject(index, 'first')) }), AT)
  tally.take(0, result({ first: 0, count: 1, attempt: 1 }), AT)
  tally.take(0, result({ first: 1, count: 1, attempt: 1, rejected: [reject(0, 'second')] }), AT)
  const { byReason, lastRejects } = tally.counts({ ...JOB, attempt: 1 }, [0, 1])
  assert.deepEqual({ ...byReason }, { first: 1, second: 1 })
  assert.deepEqual(
    lastRejects.map(({ reason }) => reason),
    ['first', 'second'],
  )
})

test('a producer that takes over takes rows back, and older results after its own do not count', () => {
  const tally = new ResultTally(LAYOUT)
  for (const partition of [0, 1, 2]) tally.take(partition, result({ count: 8 }), AT)
  assert.equal(tally.counts(JOB, [0]).classified, 24)
  tally.take(1, result({ epoch: 1, from: 6, first: 2, count: 2 }), AT) // rows 6 and 7
  const { classified, firstMissing } = tally.counts({ ...JOB, epoch: 1 }, [0])
  assert.deepEqual([classified, firstMissing], [4 + 2 + 2, { row: 8, partition: 2 }])
  assert.equal(tally.take(1, result({ first: 4, count: 4 }), AT), 0)
  assert.equal(tally.take(0, result({ first: 4, count: 4 }), AT), 0)
  assert.equal(tally.take(2, result({ epoch: 1, from: 6, count: 4 }), AT), 4)
  assert.equal(tally.counts({ ...JOB, epoch: 1 }, [0]).firstMissing!.row, 12)
})

test('ends of input count for the attempt and the epoch of the job', () => {
  const tally = new ResultTally(LAYOUT)
  const end = (partition: number, more: object) => {
    const value = { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows: 0, total: 0, ...more }
    tally.take(partition, { kind: 'end', value }, AT)
  }
  for (const partition of [0, 1, 2]) end(partition, {})
  assert.deepEqual([tally.counts(JOB, [0]).ends, tally.counts({ ...JOB, attempt: 1 }, [0, 1]).ends], [3, 0])
  end(0, { attempt: 1 })
  assert.equal(tally.counts({ ...JOB, attempt: 1 }, [0, 1]).ends, 1)
  end(1, { epoch: 1 })
  assert.equal(tally.counts({ ...JOB, epoch: 1 }, [0]).ends, 1)
})

test('rows without sequence are counted by their offsets, also in partitions that were added', () => {
  const tally = new ResultTally({ partitions: 1, blockRows: 1, sequenced: false })
  for (const offset of [3, 5, 5, 9])
    tally.take(0, result({ first: offset, rejected: offset === 5 ? [reject(0)] : [] }), AT)
  tally.take(4, result({ first: 0 }), AT)
  const { classified, rejected, byReason, firstMissing } = tally.counts(JOB, [0])
  assert.deepEqual([classified, rejected, { ...byReason }, firstMissing], [4, 1, { R: 1 }, null])
})

test('messages of other partitions, and forged reasons and numbers, keep the memory bounded', () => {
  const tally = new ResultTally(LAYOUT)
  assert.equal(tally.take(7, result({ count: 4 }), AT), 0)
  for (let i = 0; i < 1000; i++)
    tally.take(0, result({ first: i, count: 1, rejected: [reject(0, `reason ${i}`)] }), AT + i)
  const { byReason, lastRejects, rejected } = tally.counts(JOB, [0])
  assert.equal(Object.keys(byReason).length, 31)
  assert.equal(rejected, 1000)
  assert.equal(lastRejects.length, 5)
  assert.deepEqual(tally.counts(JOB, [0]).firstMissing, { row: 4, partition: 1 })
})

test('a result after deleted ones says that every row before it has one', () => {
  const tally = new ResultTally(LAYOUT)
  assert.equal(tally.take(0, result({ first: 8, count: 2 }), AT, true), 2)
  const { classified, firstMissing } = tally.counts(JOB, [0])
  assert.deepEqual([classified, firstMissing], [10, { row: 4, partition: 1 }])
  const value = { job: 'j', epoch: 0, from: 0, attempt: 0, partition: 1, rows: 16, total: TOTAL }
  tally.take(1, { kind: 'end', value }, AT, true)
  assert.deepEqual(tally.counts(JOB, [0]).classified, 26, 'and so does an end of input')
})
