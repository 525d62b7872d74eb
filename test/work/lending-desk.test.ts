import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LendingDesk } from '../../src/work/lending-desk.ts'
import type { FromDesk, PackedBatch } from '../../src/work/lending-messages.ts'

const BATCH = { job: 'j' } as PackedBatch
const ANSWER = { ms: 1, results: ['AA=='], rejected: [] }

/** Some workers at a desk, and what each of them hears. */
function seats(count: number) {
  const desk = new LendingDesk()
  const join = () => {
    const heard: FromDesk[] = []
    return { heard, ...desk.join(message => heard.push(message)) }
  }
  return { join, workers: Array.from({ length: count }, join) }
}

test('a spare classifier is offered once, and the next one to another worker', () => {
  const { workers } = seats(3)
  const [a, b, c] = workers as [(typeof workers)[0], (typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'needs' })
  b.told({ type: 'needs' })
  assert.deepEqual([a.heard, b.heard], [[], []], 'nobody is idle')
  c.told({ type: 'spare', inMs: 7 })
  assert.deepEqual([a.heard, b.heard], [[{ type: 'lender', lender: 3, inMs: 7 }], []])
  a.told({ type: 'lend', lender: 3, id: 1, batch: BATCH })
  c.told({ type: 'spare', inMs: 0 })
  assert.deepEqual(b.heard, [{ type: 'lender', lender: 3, inMs: 0 }])
  b.told({ type: 'unneeded', lender: 3 })
  assert.equal(a.heard.length, 2, 'it is offered to the one that still needs it')
})

test('a worker that needs a classifier is not offered its own', () => {
  const { workers } = seats(2)
  const [a, b] = workers as [(typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'spare', inMs: 0 })
  a.told({ type: 'needs' })
  b.told({ type: 'needs' })
  assert.deepEqual([a.heard, b.heard], [[], []])
})

test('answers go to the owner of the batch under its own number', () => {
  const { workers } = seats(3)
  const [a, b, c] = workers as [(typeof workers)[0], (typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'lend', lender: 3, id: 5, batch: BATCH })
  b.told({ type: 'lend', lender: 3, id: 5, batch: BATCH })
  const [first, second] = c.heard as Extract<FromDesk, { type: 'lent' }>[]
  c.told({ type: 'answered', id: second!.id, answer: ANSWER })
  a.told({ type: 'answered', id: first!.id, answer: null }) // it is not the lender
  assert.deepEqual([a.heard, b.heard], [[], [{ type: 'answer', id: 5, answer: ANSWER }]])
  c.told({ type: 'answered', id: second!.id, answer: ANSWER })
  assert.equal(b.heard.length, 1)
})

test('batches of a lender that ends go back, also those that were sent to it after its end', () => {
  const { workers } = seats(2)
  const [a, b] = workers as [(typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'lend', lender: 2, id: 1, batch: BATCH })
  b.leave()
  a.told({ type: 'lend', lender: 2, id: 2, batch: BATCH })
  const back = [1, 2].map(id => ({ type: 'answer', id, answer: null }))
  assert.deepEqual(a.heard, back)
  b.told({ type: 'answered', id: 1, answer: ANSWER }) // its last words
  b.told({ type: 'spare', inMs: 0 })
  a.told({ type: 'needs' })
  assert.deepEqual(a.heard, back)
})

test('the answer to a worker that ended does not reach the one that was started in its place', () => {
  const { workers, join } = seats(2)
  const [a, b] = workers as [(typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'lend', lender: 2, id: 1, batch: BATCH })
  a.leave()
  const again = join()
  again.told({ type: 'lend', lender: 2, id: 1, batch: BATCH })
  const [first, second] = b.heard as Extract<FromDesk, { type: 'lent' }>[]
  b.told({ type: 'answered', id: first!.id, answer: { ms: 1, results: ['BB=='], rejected: [] } })
  b.told({ type: 'answered', id: second!.id, answer: ANSWER })
  assert.deepEqual([a.heard, again.heard], [[], [{ type: 'answer', id: 1, answer: ANSWER }]])
})

test('a lender that was offered to a worker that ends is offered to the next', () => {
  const { workers } = seats(3)
  const [a, b, c] = workers as [(typeof workers)[0], (typeof workers)[0], (typeof workers)[0]]
  a.told({ type: 'needs' })
  b.told({ type: 'needs' })
  c.told({ type: 'spare', inMs: 0 })
  a.leave()
  assert.deepEqual(b.heard, [{ type: 'lender', lender: 3, inMs: 0 }])
})
