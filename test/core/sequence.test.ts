import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Layout,
  type Place,
  partitionOf,
  placeOf,
  rowsInPartition,
  rowsLeftInBlock,
  seqOf,
} from '../../src/core/sequence.ts'

const layouts = fc.record({ partitions: fc.integer({ min: 1, max: 50 }), blockRows: fc.integer({ min: 1, max: 200 }) })
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

/** Deals rows to partitions like cards to players, `blockRows` at a time, and counts the rows of each. */
class Dealer {
  readonly #blockRows: number
  readonly counts: number[]
  #partition = 0
  left: number

  constructor({ partitions, blockRows }: Layout) {
    this.#blockRows = blockRows
    this.counts = new Array(partitions).fill(0)
    this.left = blockRows
  }

  deal(): Place {
    const place = { partition: this.#partition, position: this.counts[this.#partition]!++ }
    this.left--
    if (this.left === 0) {
      this.left = this.#blockRows
      this.#partition = (this.#partition + 1) % this.counts.length
    }
    return place
  }
}

test('dealing rows one by one gives the places, the rows left in each block and in each partition', () => {
  fc.assert(
    fc.property(fc.nat(20_000), layouts, (total, layout) => {
      const dealer = new Dealer(layout)
      for (let seq = 0; seq < total; seq++) {
        const left = dealer.left
        const { partition, position } = dealer.deal()
        const place = placeOf(seq, layout)
        const same = place.partition === partition && place.position === position
        if (same && partitionOf(seq, layout) === partition && rowsLeftInBlock(seq, layout) === left) continue
        assert.deepEqual([place, rowsLeftInBlock(seq, layout)], [{ partition, position }, left], `row ${seq}`)
        assert.equal(partitionOf(seq, layout), partition, `row ${seq}`)
      }
      const rows = dealer.counts.map((_, partition) => rowsInPartition(partition, total, layout))
      assert.deepEqual(rows, dealer.counts)
    }),
  )
})

test('a place gives the row, and the row gives its place', () => {
  fc.assert(
    fc.property(seqs, layouts, fc.nat(49), (number, layout, player) => {
      assert.equal(seqOf(placeOf(number, layout), layout), number)
      const place = { partition: player % layout.partitions, position: number }
      assert.deepEqual(placeOf(seqOf(place, layout), layout), place)
    }),
    { numRuns: 1000 },
  )
})

test('far into a job the positions of every partition still have no hole, block by block', () => {
  fc.assert(
    fc.property(seqs, layouts, (from, layout) => {
      const { partitions, blockRows } = layout
      const next = Array.from({ length: partitions }, (_, partition) => rowsInPartition(partition, from, layout))
      assert.equal(
        next.reduce((sum, rows) => sum + rows, 0),
        from,
      )
      for (let seq = from; seq < from + 2 * partitions * blockRows; ) {
        const { partition } = placeOf(seq, layout)
        const end = seq + rowsLeftInBlock(seq, layout)
        for (; seq < end; seq++) {
          const place = placeOf(seq, layout)
          if (place.partition === partition && place.position === next[partition]!++) continue
          assert.fail(`row ${seq} is in ${JSON.stringify(place)} and follows ${next[partition]! - 1} in ${partition}`)
        }
        assert.deepEqual(placeOf(end, layout).partition, (partition + 1) % partitions)
      }
    }),
  )
})
