import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchPause } from '../../src/kafka/fetch-pause.ts'
import type { Fetched } from '../../src/kafka/index.ts'
import { ManualTime } from '../helpers/manual-time.ts'

/** An answer with one message of so many bytes; 0: with none. `left`: how many are still at the broker. */
function answer(bytes: number, left = 0): Fetched[] {
  const value = Buffer.alloc(bytes)
  const messages = bytes > 0 ? [{ offset: 0, key: null, value, timestamp: 0 }] : []
  return [{ messages, next: messages.length, end: messages.length + left }] as unknown as Fetched[]
}

async function pausesAfter(bytes: number, left = 0) {
  const time = new ManualTime()
  const pause = new FetchPause(brought => (brought < 100_000 ? 100 : 0), time)
  let over = false
  void pause.after(answer(bytes, left)).then(() => {
    over = true
  })
  await time.pass(99)
  const paused = !over
  await time.pass(1)
  assert.ok(over)
  return paused
}

test('a feed pauses after an answer, for as long as its bytes ask for', async () => {
  assert.equal(await pausesAfter(0), true)
  assert.equal(await pausesAfter(10_000), true)
  assert.equal(await pausesAfter(200_000), false)
})

test('a feed does not pause if more is at the broker', async () => {
  assert.equal(await pausesAfter(10_000, 1), false)
})

test('a pause can be ended, and the next one is whole again', async () => {
  const time = new ManualTime()
  const pause = new FetchPause(() => 100, time)
  const first = pause.after(answer(1))
  pause.end()
  await first
  let over = false
  const second = pause.after(answer(1)).then(() => {
    over = true
  })
  await time.pass(99)
  assert.equal(over, false)
  await time.pass(1)
  await second
})
