import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IntervalSet } from '../../src/core/intervals.ts'

const anyRun = fc.record({ from: fc.nat(60), size: fc.nat(12) })

test('numbers that are taken out of a set are missing, and no others', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), anyRun), { maxLength: 30 }), runs => {
      const [set, plain] = [new IntervalSet(), new Set<number>()]
      for (const [adds, { from, size }] of runs) {
        if (adds) set.add(from, from + size)
        else set.remove(from, from + size)
        for (let number = from; number < from + size; number++) adds ? plain.add(number) : plain.delete(number)
      }
      assert.equal(set.size, plain.size)
      for (let number = 0; number < 80; number++) assert.equal(set.has(number), plain.has(number))
      const first = Array.from({ length: 80 }, (_, number) => number).find(number => !plain.has(number))
      assert.equal(set.firstMissing, first)
      for (const [i, { from, end }] of set.intervals.entries())
        assert.ok(from < end && (i === 0 || set.intervals[i - 1]!.end < from))
    }),
    { numRuns: 1000 },
  )
})

test('a set of runs holds what a set of numbers holds, and names missing numbers as maximal runs', () => {
  fc.assert(
    fc.property(fc.array(anyRun, { maxLength: 30 }), fc.nat(80), fc.nat(30), (runs, from, size) => {
      const [set, plain] = [new IntervalSet(), new Set<number>()]
      for (const run of runs) {
        set.add(run.from, run.from + run.size)
        for (let number = run.from; number < run.from + run.size; number++) plain.add(number)
      }
      assert.equal(set.size, plain.size)
      for (let number = 0; number < 80; number++) assert.equal(set.has(number), plain.has(number))
      const missing = set.missing(from, from + size)
      const lacking = Array.from({ length: size }, (_, i) => from + i).filter(number => !plain.has(number))
      assert.deepEqual(
        missing.flatMap(gap => Array.from({ length: gap.end - gap.from }, (_, i) => gap.from + i)),
        lacking,
      )
      for (const [i, gap] of missing.entries()) assert.ok(i === 0 || missing[i - 1]!.end < gap.from)
    }),
    { numRuns: 1000 },
  )
})
