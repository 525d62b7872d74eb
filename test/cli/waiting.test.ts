import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Waiting } from '../../src/cli/waiting.ts'
import { ManualTime } from '../helpers/manual-time.ts'

function waitingFor(first: string | null) {
  const time = new ManualTime()
  const said: string[] = []
  const state = { waitsFor: first }
  const waiting = new Waiting(
    text => said.push(text),
    async () => state.waitsFor,
    time,
  )
  return { time, said, state, waiting }
}

test('it logs what it waits for after 10 s, once', async () => {
  const { time, said } = waitingFor('no worker is there')
  await time.pass(9_999)
  assert.deepEqual(said, [])
  await time.pass(1)
  assert.deepEqual(said, ['no worker is there'])
  await time.pass(60_000)
  assert.deepEqual(said, ['no worker is there'])
})

test('it logs again when that has changed, and after progress', async () => {
  const { time, said, state, waiting } = waitingFor('no worker is there')
  await time.pass(10_000)
  state.waitsFor = 'the job is not published'
  await time.pass(10_000)
  waiting.progress()
  await time.pass(10_000)
  assert.equal(said.length, 2, 'progress was less than 10 s ago')
  await time.pass(10_000)
  assert.deepEqual(said, ['no worker is there', 'the job is not published', 'the job is not published'])
})

test('with progress, or nothing worth a message, it logs nothing', async () => {
  const { time, said, state, waiting } = waitingFor('no worker is there')
  for (let i = 0; i < 5; i++) {
    waiting.progress()
    await time.pass(10_000)
  }
  state.waitsFor = null
  await time.pass(30_000)
  assert.deepEqual(said, [])
})

test('giving up is logged at once, unless it already was', async () => {
  const { time, said, waiting } = waitingFor('no worker is there')
  await waiting.tell()
  assert.deepEqual(said, ['no worker is there'])
  await time.pass(10_000)
  await waiting.tell()
  assert.equal(said.length, 1)
})

test('a broker that does not answer blocks no later message, and close ends the wait', async () => {
  const time = new ManualTime()
  const said: string[] = []
  let asked = 0
  const describe = async () => {
    if (++asked === 1) throw new Error('no answer')
    return 'no worker is there'
  }
  const waiting = new Waiting(text => said.push(text), describe, time)
  await time.pass(20_000)
  assert.deepEqual(said, ['no worker is there'])
  waiting.close()
  await time.pass(60_000)
  assert.equal(asked, 2)
})
