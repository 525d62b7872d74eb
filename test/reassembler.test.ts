import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndOfInput, Rejected, Result } from '../src/model.ts'
import { Reassembler } from '../src/reassembler.ts'
import { type Layout, rowsInPartition, seqOf } from '../src/sequence.ts'

const layout: Layout = { partitions: 2, blockRows: 2 }

function result(
  partition: number,
  first: number,
  count: number,
  at: Layout = layout,
  rejected: Rejected[] = [],
): Result {
  const places = Array.from({ length: count }, (_, index) => index).filter(i => !rejected.some(r => r.index === i))
  const rows = places.map(index => [String(seqOf({ partition, position: first + index }, at))])
  const stamp = { classifier: new Uint8Array(8), by: 'w', columns: ['c'], kinds: ['text'] }
  return { job: 'j', epoch: 0, from: 0, attempt: 0, first, count, offset: 0, ...stamp, rejected, rows }
}

function end(partition: number, total: number, at: Layout = layout): EndOfInput {
  const rows = rowsInPartition(partition, total, at)
  return { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total, refused: 0 }
}

const taken = (reassembler: Reassembler) => reassembler.take().map(([cell]) => Number(cell))
const fails = (code: string, facts: object = {}) => ({ code, ...(Object.keys(facts).length > 0 ? { facts } : {}) })

test('rows come out in the order of their seq, whatever partition is ahead', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(1, result(1, 0, 4), 'here')
  assert.deepEqual(taken(reassembler), [])
  assert.equal(reassembler.wanted, 0)
  reassembler.offer(0, result(0, 0, 3), 'here')
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4])
  assert.equal(reassembler.wanted, 0)
  reassembler.offer(0, result(0, 3, 1), 'here')
  assert.deepEqual(taken(reassembler), [5, 6, 7])
})

test('a position that was offered before is dropped and counted, the first copy counts', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(0, result(0, 0, 2), 'here')
  reassembler.offer(0, { ...result(0, 0, 2), rows: [['other'], ['other']] }, 'here')
  const overlapping = { ...result(0, 1, 3), rows: [['other'], ['4'], ['5']] }
  assert.equal(reassembler.offer(0, overlapping, 'here'), 2, 'two rows of it are first copies')
  reassembler.offer(1, result(1, 0, 2), 'here')
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4, 5])
  assert.equal(reassembler.counts.duplicates, 3)
})

test('a position that was jumped over is a gap that names the row', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(1, result(1, 0, 2), 'here')
  const facts = { job: 'j', partition: 1, row: 6, expected: 2, found: 3 }
  assert.throws(() => reassembler.offer(1, result(1, 3, 1), 'here'), fails('ROW_GAP', facts))
})

test('an end of input that comes too early is a gap', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(0, result(0, 0, 2), 'here')
  assert.throws(() => reassembler.end(0, end(0, 6), 'here'), fails('ROW_GAP'))
})

test('complete is counted: all rows and all ends of input', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(0, result(0, 0, 2), 'here')
  reassembler.end(0, end(0, 3), 'here')
  assert.deepEqual([taken(reassembler), reassembler.complete, reassembler.wanted], [[0, 1], false, 1])
  reassembler.offer(1, result(1, 0, 1), 'here')
  assert.deepEqual([taken(reassembler), reassembler.complete, reassembler.wanted], [[2], false, 1])
  reassembler.end(1, end(1, 3), 'here')
  assert.equal(reassembler.complete, true)
})

test('a job without rows is complete when every partition has ended', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.end(0, end(0, 0), 'here')
  assert.equal(reassembler.complete, false)
  reassembler.end(1, end(1, 0), 'here')
  assert.deepEqual([reassembler.complete, reassembler.counts.rows], [true, 0])
})

test('ends of input that contradict each other, or the arithmetic, are malformed', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.end(0, end(0, 0), 'here')
  assert.throws(() => reassembler.end(1, end(1, 3), 'here'), fails('ROW_MALFORMED'))
  assert.throws(() => new Reassembler('j', layout).end(0, { ...end(0, 3), rows: 1 }, 'here'), fails('ROW_MALFORMED'))
})

test('behind the end of input a repeated row is a duplicate, a new one is malformed', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(0, result(0, 0, 2), 'here')
  reassembler.end(0, end(0, 2), 'here')
  reassembler.offer(0, result(0, 0, 2), 'here')
  assert.equal(reassembler.counts.duplicates, 2)
  assert.throws(() => reassembler.offer(0, result(0, 2, 1), 'here'), fails('ROW_MALFORMED'))
})

test('a rejected row keeps its place: the others stay in order and it is counted', () => {
  const reassembler = new Reassembler('j', layout)
  const rejected = [{ index: 1, seq: 1, line: 3, reason: 'FAILED', detail: '', values: [] }]
  reassembler.offer(0, result(0, 0, 3, layout, rejected), 'here')
  reassembler.offer(1, result(1, 0, 2), 'here')
  assert.deepEqual(taken(reassembler), [0, 2, 3, 4])
  assert.deepEqual(reassembler.counts, { rows: 4, rejects: 1, duplicates: 0 })
})

test('a copy of a later attempt replaces no row', () => {
  const reassembler = new Reassembler('j', layout)
  reassembler.offer(0, result(0, 0, 2), 'here')
  const later = { ...result(0, 0, 3), attempt: 1, rows: [['other'], ['other'], ['4']] }
  assert.equal(reassembler.offer(0, later, 'here'), 1)
  reassembler.offer(1, { ...result(1, 0, 2), attempt: 1 }, 'here')
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4])
  assert.deepEqual(reassembler.counts, { rows: 5, rejects: 0, duplicates: 2 })
})
