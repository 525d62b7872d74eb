import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallQueue } from '../../src/core/call-queue.ts'

const ROWS = { job: 'j', count: 10 }

/** A queue whose calls take 100 ms, as its first call has shown by the time 100. */
function known() {
  const queue = new CallQueue(200)
  queue.answered(queue.sent(ROWS, 0), 100)
  return queue
}

test('a classifier is free when its calls are answered, as long as the calls before took', () => {
  const queue = known()
  assert.equal(queue.freeInMs(100), 0)
  const first = queue.sent(ROWS, 100)
  queue.sent({ job: 'j', count: 5 }, 110)
  assert.equal(queue.freeInMs(130), 70 + 50)
  queue.answered(first, 200)
  assert.equal(queue.freeInMs(220), 30)
  assert.equal(queue.length, 1)
})

test('nothing is known of the calls of a new job', () => {
  const queue = known()
  queue.sent({ job: 'new', count: 10 }, 100)
  assert.equal(queue.freeInMs(110), 0)
  assert.equal(queue.size.msFor('new', 10), null)
  assert.equal(queue.size.msFor('j', 20), 200)
})

test('a call that takes several times as long makes it Infinity', () => {
  const queue = known()
  queue.sent(ROWS, 100)
  assert.equal(queue.freeInMs(500), 0)
  assert.equal(queue.freeInMs(501), Number.POSITIVE_INFINITY)
})

test('a call without an answer says nothing of how long calls take', () => {
  const queue = known()
  const call = queue.sent(ROWS, 100)
  queue.ended(call)
  queue.ended(call)
  assert.deepEqual([queue.length, queue.freeInMs(9000), queue.size.msFor('j', 10)], [0, 0, 100])
})
