import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EndOfInput } from '../../src/model.ts'
import { Tally } from '../../src/verify/tally.ts'

function tallyOf(runs: readonly (readonly [number, number])[]): Tally {
  const tally = new Tally()
  runs.forEach(([first, count], i) => void tally.take(first, count, `t[0]@${i}`))
  return tally
}

const end = (rows: number): EndOfInput => ({
  ...{ job: 'j', epoch: 0, from: 0, attempt: 0, partition: 0, rows, total: rows },
})

test('the first copy of a position counts, even if a later run overlaps an earlier one', () => {
  const tally = new Tally()
  assert.equal(tally.take(0, 4, ''), 0)
  assert.equal(tally.take(2, 4, ''), 4)
  assert.equal(tally.take(1, 3, ''), 4)
  assert.deepEqual([tally.rows, tally.duplicates, tally.missing], [6, 5, 0])
})

test('a jump is missing, is recorded where it was met first, and stays missing if it comes later', () => {
  const tally = tallyOf([
    [0, 2],
    [5, 2],
    [9, 1],
    [3, 3],
  ])
  assert.deepEqual(tally.jump, { expected: 2, found: 5, where: 't[0]@1' })
  assert.deepEqual([tally.rows, tally.missing, tally.late, tally.duplicates], [5, 5, 2, 1])
})

test('an end of input after the last position is a jump to it', () => {
  const tally = tallyOf([[0, 2]])
  tally.close(end(3), 't[0]@1')
  assert.deepEqual(tally.jump, { expected: 2, found: null, where: 't[0]@1' })
  assert.equal(tally.missing, 1)
})

test('whatever the runs, the counts equal those of counting the positions one by one', () => {
  const run = fc.tuple(fc.nat(30), fc.nat(8))
  fc.assert(
    fc.property(fc.array(run, { maxLength: 12 }), runs => {
      const tally = tallyOf(runs)
      const seen = new Set<number>()
      const expected = { next: 0, rows: 0, duplicates: 0, missing: 0, late: 0 }
      for (const [first, count] of runs) {
        expected.missing += Math.max(0, first - expected.next)
        expected.next = Math.max(expected.next, first)
        for (let position = first; position < first + count; position++) {
          if (seen.has(position)) expected.duplicates++
          else if (position < expected.next) expected.late++
          else expected.rows++
          seen.add(position)
          expected.next = Math.max(expected.next, position + 1)
        }
      }
      const { next, rows, duplicates, missing, late } = tally
      assert.deepEqual({ next, rows, duplicates, missing, late }, expected)
    }),
  )
})
