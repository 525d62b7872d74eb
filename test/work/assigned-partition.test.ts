import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { AssignedPartition, type Slot } from '../../src/work/assigned-partition.ts'

const FROM = 10
const NOW = 1000

function partition() {
  const queue = new PartitionQueue({ topic: 'p.rows', partition: 3, offset: FROM })
  return new AssignedPartition(queue, { attempt: 0, bulk: false, metadata: null, now: NOW })
}

/** Adds one row of a job at this offset, and cuts it into a batch of its own. */
function cutRow(held: AssignedPartition, offset: number, job = 'j'): Slot {
  const head = { job, epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
  held.batcher.addRows(offset, { head, bytes: encodeRows({ ...head, rows: [['1', 'a']] }) }, offset - FROM)
  return held.add(held.batcher.cutBatch(100)!)
}

const ANSWER = { results: [], rejected: [] }

test('results are sent in the order of their batches, whichever answer comes first', () => {
  const held = partition()
  const [first, second] = [cutRow(held, 10), cutRow(held, 11)]
  second.answer = ANSWER
  assert.equal(held.takeReady(), undefined)
  first.answer = ANSWER
  assert.deepEqual([held.takeReady(), held.takeReady(), held.takeReady()], [first, second, undefined])
})

test('what follows a row of a failed job is not sent, and rows of other jobs are', () => {
  const held = partition()
  const [, lost, other] = [cutRow(held, 10, 'failed'), cutRow(held, 11, 'failed'), cutRow(held, 12, 'good')]
  lost.answer = ANSWER // its answer came, but the row before it has none
  other.answer = ANSWER
  held.drop('failed')
  assert.deepEqual([held.takeReady(), held.takeReady()], [other, undefined])
  held.batcher.settle(other.item)
  assert.equal(held.toCommit().offset, 13)
})

test('rows wait while many bytes of answers wait for the first answer', () => {
  const held = partition()
  const [late, ...others] = [10, 11, 12, 13].map(offset => cutRow(held, offset))
  const head = { job: 'j', epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
  held.batcher.addRows(14, { head, bytes: encodeRows({ ...head, rows: [['1', 'a']] }) }, 14 - FROM)
  const large = { results: [Buffer.alloc(3 * 1024 * 1024)], rejected: [] }
  for (const slot of others.slice(1)) slot.answer = large
  assert.equal(held.waiting, 1, '6 MB may wait')
  others[0]!.answer = large
  assert.equal(held.waiting, 0)
  late!.answer = ANSWER
  while (held.takeReady());
  assert.equal(held.waiting, 1)
})

test('nothing is sent after the partition was lost', () => {
  const held = partition()
  cutRow(held, 10).answer = ANSWER
  held.queue.closed = true
  assert.equal(held.takeReady(), undefined)
})

test('the offset to commit is that of the first row without a result', () => {
  const held = partition()
  const [first, second] = [cutRow(held, 10), cutRow(held, 11)]
  held.batcher.settle(second.item)
  assert.equal(held.toCommit().offset, 10)
  held.batcher.settle(first.item)
  const { topic, partition: number, offset } = held.toCommit()
  assert.deepEqual({ topic, number, offset }, { topic: 'p.rows', number: 3, offset: 12 })
})

test('transaction markers after the last row are committed too, unless a message is in hand or the partition was lost', () => {
  const held = partition()
  held.queue.push([], 17)
  assert.equal(held.toCommit().offset, 17)
  held.inHand = true
  assert.equal(held.toCommit().offset, FROM)
  held.inHand = false
  held.queue.closed = true
  assert.equal(held.toCommit().offset, FROM)
})

test('a commit is due at each advance, and every 5 s without one', () => {
  const held = partition()
  assert.equal(held.commitIsDue(NOW + 4999), false)
  assert.equal(held.commitIsDue(NOW + 5001), true)
  held.noteCommit(FROM, NOW + 5001)
  assert.equal(held.commitIsDue(NOW + 5002), false)
  held.batcher.settle(cutRow(held, 10).item)
  assert.equal(held.commitIsDue(NOW + 5002), true)
})

test('the intake is let in when there is room, and each time only those that wait', async () => {
  const held = partition()
  let letIn = 0
  const waits = held.room().then(() => letIn++)
  held.makeRoom()
  await waits
  held.room().then(() => letIn++)
  await Promise.resolve()
  assert.equal(letIn, 1)
})
