import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Batch, Batcher } from '../src/batcher.ts'
import type { EndOfInput, Rows } from '../src/model.ts'

function rows(seq: number, count: number, job = 'j'): Rows {
  const values = Array.from({ length: count }, (_, i) => [`${job}${seq + i}`])
  return { job, epoch: 0, from: 0, seq, count, line: seq + 2, lineSteps: null, rows: values }
}

const end: EndOfInput = { job: 'j', epoch: 0, from: 0, attempt: 0, partition: 0, rows: 3, total: 3, refused: 0 }
const texts = (batch: Batch | null) => batch?.rows.map(([text]) => text)

test('consecutive messages of a job make one batch, up to the number of rows asked for', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 2), 0)
  batcher.addRows(1, rows(2, 2), 2)
  assert.deepEqual(texts(batcher.cutBatch(3)), ['j0', 'j1', 'j2'])
  const rest = batcher.cutBatch(3)!
  assert.deepEqual([texts(rest), rest.first, rest.offset, rest.seqs, rest.lines], [['j3'], 3, 1, [3], [5]])
  assert.equal(batcher.cutBatch(3), null)
})

test('a jump in the positions closes a batch', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 2), 0)
  batcher.addRows(1, rows(8, 2), 4)
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j0', 'j1'])
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j8', 'j9'])
})

test('rows seen in this assignment are dropped, also where a message overlaps, and counted', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 3), 0)
  batcher.addRows(1, rows(0, 2), 0)
  batcher.addRows(2, rows(2, 3), 2)
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j0', 'j1', 'j2', 'j3', 'j4'])
  assert.equal(batcher.duplicates, 3)
})

test('the first position of an assignment may be any: what lies before was done by someone else', () => {
  const batcher = new Batcher(70)
  batcher.addRows(70, rows(500, 2), 300)
  assert.equal(batcher.cutBatch(100)!.first, 300)
})

test('a job that interleaves with another is batched past the rows of the other', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 1), 0)
  batcher.addRows(1, rows(0, 1, 'other'), 0)
  batcher.addRows(2, rows(1, 1), 1)
  const first = batcher.cutBatch(100)!
  assert.deepEqual(texts(first), ['j0', 'j1'])
  batcher.settle(first)
  assert.equal(batcher.lowWater, 1, 'offset 1 still has a row of the other job')
  batcher.settle(batcher.cutBatch(100)!)
  assert.equal(batcher.lowWater, 3)
})

test('the low-water mark stays at the lowest offset with a row that is not acknowledged', () => {
  const batcher = new Batcher(10)
  batcher.addRows(10, rows(0, 2), 0)
  batcher.addRows(11, rows(2, 2), 2)
  const [a, b] = [batcher.cutBatch(1)!, batcher.cutBatch(3)!]
  assert.equal(batcher.lowWater, 10)
  batcher.settle(b)
  assert.equal(batcher.lowWater, 10)
  batcher.settle(a)
  assert.equal(batcher.lowWater, 12)
})

test('a marker comes out behind the batches of the rows before it, and no batch reaches over it', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 3), 0)
  batcher.addEnd(1, end)
  assert.equal(batcher.cutMarker(), null)
  const batch = batcher.cutBatch(100)!
  assert.equal(batcher.cutBatch(100), null)
  const marker = batcher.cutMarker()!
  assert.equal(marker.end, end)
  batcher.settle(marker)
  assert.equal(batcher.lowWater, 0)
  batcher.settle(batch)
  assert.equal(batcher.lowWater, 2)
})

test('what leads to no result moves the low-water mark as soon as all before it is done', () => {
  const batcher = new Batcher(4)
  batcher.pass(4)
  assert.equal(batcher.lowWater, 5)
  batcher.addRows(5, rows(0, 1), 0)
  batcher.pass(6)
  assert.equal(batcher.lowWater, 5)
  batcher.drop('j')
  assert.deepEqual([batcher.lowWater, batcher.waiting], [7, 0])
})

test('for any messages with repeats, every position comes out once, in order, and all can be committed', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 })
  const maxRows = fc.integer({ min: 1, max: 20 })
  fc.assert(
    fc.property(cuts, maxRows, fc.nat(100), (sizes, max, resent) => {
      const batcher = new Batcher(0)
      let offset = 0
      let position = 0
      for (const size of sizes) {
        batcher.addRows(offset++, rows(position, size), position)
        if (resent % 3 === 0)
          batcher.addRows(offset++, rows(Math.max(0, position - 2), size), Math.max(0, position - 2))
        position += size
      }
      const out: number[] = []
      for (let batch = batcher.cutBatch(max); batch; batch = batcher.cutBatch(max)) {
        assert.ok(batch.rows.length <= max)
        out.push(...batch.rows.map((_, i) => batch.first + i))
        batcher.settle(batch)
      }
      assert.deepEqual(
        out,
        Array.from({ length: position }, (_, i) => i),
      )
      assert.deepEqual([batcher.lowWater, batcher.waiting], [offset, 0])
    }),
  )
})
