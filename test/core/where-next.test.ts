import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whereNext } from '../../src/core/where-next.ts'

const idle = (batchMs: number) => ({ freeInMs: 0, batchMs })
const busy = (freeInMs: number, batchMs: number) => ({ freeInMs, batchMs })
const MANY = Number.POSITIVE_INFINITY

test('with many batches every classifier gets one, however slow it is', () => {
  const [slow, fast] = [idle(400), idle(100)]
  assert.equal(whereNext({ own: slow, ownHasRoom: true, offered: [fast], atWork: [], batches: MANY }), 'own')
  assert.equal(whereNext({ own: busy(10, 100), ownHasRoom: false, offered: [slow], atWork: [], batches: MANY }), slow)
  assert.equal(whereNext({ own: slow, ownHasRoom: false, offered: [], atWork: [fast], batches: MANY }), null)
})

test('the last batch goes to the classifier that is done with it first', () => {
  const last = { offered: [], atWork: [], batches: 1 }
  const fast = idle(100)
  assert.equal(whereNext({ ...last, own: idle(400), ownHasRoom: true, offered: [fast] }), fast)
  assert.equal(whereNext({ ...last, own: idle(100), ownHasRoom: true, offered: [idle(400)] }), 'own')
  assert.equal(whereNext({ ...last, own: busy(90, 100), ownHasRoom: false, offered: [idle(400)] }), null)
  const sooner = busy(20, 100)
  assert.equal(whereNext({ ...last, own: busy(90, 100), ownHasRoom: false, offered: [busy(95, 100), sooner] }), sooner)
})

test('a slow classifier leaves the last batches to a lender that will be free soon, and not to one that stands still', () => {
  const choice = { own: idle(400), ownHasRoom: true, offered: [], batches: 2 }
  assert.equal(whereNext({ ...choice, atWork: [busy(50, 100)] }), null)
  assert.equal(whereNext({ ...choice, atWork: [busy(MANY, 100)] }), 'own')
  assert.equal(whereNext({ ...choice, atWork: [busy(50, 100)], batches: 4 }), 'own')
})

test('whoever is idle, somebody gets the batch', () => {
  for (const own of [1, 10, 100, 1000]) {
    for (const lender of [1, 10, 100, 1000]) {
      for (const batches of [1, 2, 5, MANY]) {
        const next = whereNext({ own: idle(own), ownHasRoom: true, offered: [idle(lender)], atWork: [], batches })
        assert.ok(next !== null, `${own} ms, ${lender} ms, ${batches} batches`)
      }
    }
  }
})
