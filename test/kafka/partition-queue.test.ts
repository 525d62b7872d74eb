import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../src/kafka/index.ts'
import { PartitionQueue } from '../../src/kafka/partition-queue.ts'

const messages = (from: number, count: number, value: Buffer | null = Buffer.from('v')): Message[] =>
  Array.from({ length: count }, (_, i) => ({ offset: from + i, key: null, value, timestamp: 0 }))

const queueAt = (offset: number): PartitionQueue => new PartitionQueue({ topic: 't', partition: 0, offset })

test('messages come in offset order, and the next fetch begins after them', () => {
  const queue = queueAt(5)
  assert.equal(queue.nextOffset, 5)
  queue.push(messages(5, 2), 7)
  queue.push(messages(9, 1), 12) // the log has holes
  assert.deepEqual([queue.nextOffset, queue.length, queue.peek()?.offset], [12, 3, 5])
  assert.deepEqual(
    [queue.shift(), queue.shift(), queue.shift()].map(message => message?.offset),
    [5, 6, 9],
  )
  assert.equal(queue.shift(), undefined)
})

test('a queue is drained after everything up to the log end was taken, and not before the first fetch', () => {
  const queue = queueAt(0)
  assert.equal(queue.drained, false)
  queue.end = 2
  queue.push(messages(0, 1), 1)
  queue.shift()
  assert.equal(queue.drained, false)
  queue.push(messages(1, 1), 2)
  assert.equal(queue.drained, false)
  queue.shift()
  assert.equal(queue.drained, true)
})

test('messages leave the queue when taken, however many pass through it', () => {
  const queue = queueAt(0)
  for (let from = 0; from < 3000; from += 300) {
    queue.push(messages(from, 300), from + 300)
    for (let offset = from; offset < from + 300; offset++) assert.equal(queue.shift()?.offset, offset)
  }
  assert.deepEqual([queue.length, queue.bytes, queue.peek()], [0, 0, undefined])
})

test('messages without a value fill a queue too', () => {
  const queue = queueAt(0)
  queue.push(messages(0, 20_000, null), 20_000)
  assert.ok(queue.bytes > 1_000_000)
  while (queue.shift());
  assert.equal(queue.bytes, 0)
})
