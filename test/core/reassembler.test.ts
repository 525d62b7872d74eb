import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reassembler } from '../../src/core/reassembler.ts'
import { rowsOf } from '../../src/core/result-slice.ts'
import { type Layout, rowsInPartition, seqOf } from '../../src/core/sequence.ts'
import type { EndOfInput, Rejected, Result } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

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
  return resultRecord({ first, count, rejected, rows })
}

function end(partition: number, total: number, at: Layout = layout): EndOfInput {
  const rows = rowsInPartition(partition, total, at)
  return { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total }
}

const START = { seq: 0, counts: { rows: 0, rejects: 0, duplicates: 0 }, offsets: [0, 0] }
const newReassembler = () => new Reassembler('j', layout, START)
const at = (partition: number, offset = 0) => ({ topic: 'results', partition, offset })
const taken = (reassembler: Reassembler) =>
  reassembler
    .take()
    .flatMap(rowsOf)
    .map(([cell]) => Number(cell))
const fails = (code: string, facts: object = {}) => ({ code, ...(Object.keys(facts).length > 0 ? { facts } : {}) })

test('rows come out in the order of their seq, whatever partition is ahead', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(1), result(1, 0, 4))
  assert.deepEqual(taken(reassembler), [])
  assert.equal(reassembler.wanted, 0)
  reassembler.offer(at(0), result(0, 0, 3))
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4])
  assert.equal(reassembler.wanted, 0)
  reassembler.offer(at(0), result(0, 3, 1))
  assert.deepEqual(taken(reassembler), [5, 6, 7])
})

test('a position offered before is dropped and counted: the first copy counts', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(0), result(0, 0, 2))
  reassembler.offer(at(0), { ...result(0, 0, 2), rows: [['other'], ['other']] })
  const overlapping = { ...result(0, 1, 3), rows: [['other'], ['4'], ['5']] }
  assert.equal(reassembler.offer(at(0), overlapping), 2, 'two rows of it are first copies')
  reassembler.offer(at(1), result(1, 0, 2))
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4, 5])
  assert.equal(reassembler.counts.duplicates, 3)
})

test('a skipped position is a gap that names the row', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(1), result(1, 0, 2))
  const facts = { job: 'j', partition: 1, row: 6, expected: 2, found: 3 }
  assert.throws(() => reassembler.offer(at(1), result(1, 3, 1)), fails('ROW_GAP', facts))
})

test('an end of input that comes too early is a gap', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(0), result(0, 0, 2))
  assert.throws(() => reassembler.end(at(0), end(0, 6)), fails('ROW_GAP'))
})

test('complete is counted: all rows and all ends of input', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(0), result(0, 0, 2))
  reassembler.end(at(0), end(0, 3))
  assert.deepEqual([taken(reassembler), reassembler.complete, reassembler.wanted], [[0, 1], false, 1])
  reassembler.offer(at(1), result(1, 0, 1))
  assert.deepEqual([taken(reassembler), reassembler.complete, reassembler.wanted], [[2], false, 1])
  reassembler.end(at(1), end(1, 3))
  assert.equal(reassembler.complete, true)
})

test('a job without rows is complete when every partition has ended', () => {
  const reassembler = newReassembler()
  reassembler.end(at(0), end(0, 0))
  assert.equal(reassembler.complete, false)
  reassembler.end(at(1), end(1, 0))
  assert.deepEqual([reassembler.complete, reassembler.counts.rows], [true, 0])
})

test('ends of input that contradict each other, or the arithmetic, are malformed', () => {
  const reassembler = newReassembler()
  reassembler.end(at(0), end(0, 0))
  assert.throws(() => reassembler.end(at(1), end(1, 3)), fails('ROW_MALFORMED'))
  assert.throws(() => newReassembler().end(at(0), { ...end(0, 3), rows: 1 }), fails('ROW_MALFORMED'))
})

test('after the end of input a repeated row is a duplicate, a new one is malformed', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(0), result(0, 0, 2))
  reassembler.end(at(0), end(0, 2))
  reassembler.offer(at(0), result(0, 0, 2))
  assert.equal(reassembler.counts.duplicates, 2)
  assert.throws(() => reassembler.offer(at(0), result(0, 2, 1)), fails('ROW_MALFORMED'))
})

test('a rejected row keeps its place: the others stay in order, and it is counted', () => {
  const reassembler = newReassembler()
  const rejected = [{ index: 1, seq: 1, line: 3, reason: 'FAILED', detail: '', values: [] }]
  reassembler.offer(at(0), result(0, 0, 3, layout, rejected))
  reassembler.offer(at(1), result(1, 0, 2))
  assert.deepEqual(taken(reassembler), [0, 2, 3, 4])
  assert.deepEqual(reassembler.counts, { rows: 4, rejects: 1, duplicates: 0 })
})

test('a copy of a later attempt replaces no row', () => {
  const reassembler = newReassembler()
  reassembler.offer(at(0), result(0, 0, 2))
  const later = { ...result(0, 0, 3), attempt: 1, rows: [['other'], ['other'], ['4']] }
  assert.equal(reassembler.offer(at(0), later), 1)
  reassembler.offer(at(1), { ...result(1, 0, 2), attempt: 1 })
  assert.deepEqual(taken(reassembler), [0, 1, 2, 3, 4])
  assert.deepEqual(reassembler.counts, { rows: 5, rejects: 0, duplicates: 2 })
})
