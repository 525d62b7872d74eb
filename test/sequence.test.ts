import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { partitionOf, placeOf, rowsInPartition, rowsLeftInBlock, seqOf } from '../src/sequence.ts'

const layouts = fc.record({ partitions: fc.integer({ min: 1, max: 64 }), blockRows: fc.integer({ min: 1, max: 1000 }) })
const seqs = fc.integer({ min: 0, max: 2 ** 40 })

test('the first rows of a job go to partitions 0, 1, 2 block by block', () => {
  const layout = { partitions: 3, blockRows: 2 }
  const partitions = Array.from({ length: 14 }, (_, seq) => partitionOf(seq, layout))
  assert.deepEqual(partitions, [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0])
})

test('positions count the rows of one partition without a hole', () => {
  const layout = { partitions: 3, blockRows: 2 }
  const first = Array.from({ length: 14 }, (_, seq) => placeOf(seq, layout)).filter(({ partition }) => partition === 0)
  assert.deepEqual(
    first.map(({ position }) => position),
    [0, 1, 2, 3, 4, 5],
  )
})

test('a row is found again from its partition and position', () => {
  fc.assert(fc.property(seqs, layouts, (seq, layout) => seqOf(placeOf(seq, layout), layout) === seq))
})

test('the rows left in a block all lie in the partition of the first, the next one begins a new block', () => {
  fc.assert(
    fc.property(seqs, layouts, (seq, layout) => {
      const left = rowsLeftInBlock(seq, layout)
      assert.equal(placeOf(seq + left - 1, layout).partition, placeOf(seq, layout).partition)
      assert.equal((seq + left) % layout.blockRows, 0)
    }),
  )
})

test('rowsInPartition is what counting gives', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), layouts, (total, layout) => {
      const counted = new Array(layout.partitions).fill(0)
      for (let seq = 0; seq < total; seq++) counted[partitionOf(seq, layout)]++
      const computed = counted.map((_, partition) => rowsInPartition(partition, total, layout))
      assert.deepEqual(computed, counted)
    }),
  )
})
