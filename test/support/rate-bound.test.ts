import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateBound } from '../../src/support/rate-bound.ts'
import { ManualTime } from '../helpers/manual-time.ts'

test('so many lines a second are logged, then how many were left out', async () => {
  const said: string[] = []
  const time = new ManualTime()
  const bound = new RateBound(text => said.push(text), 3, time)
  const say = (text: string) => bound.say(text, {}, 'requests')
  for (let i = 0; i < 1203; i++) say(`request ${i}`)
  assert.deepEqual(said, ['request 0', 'request 1', 'request 2'])
  await time.pass(1000)
  assert.equal(said[3], '... and 1,200 more requests in this second')
  say('request 1203')
  await time.pass(2000)
  assert.deepEqual(said.slice(4), ['request 1203'])
  say('request 1204')
  assert.equal(said.at(-1), 'request 1204')
})
