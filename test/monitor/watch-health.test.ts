import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WatchHealth } from '../../src/monitor/watch-health.ts'
import { aView, MADE_AT, MadeSource } from '../helpers/made-view.ts'
import { ManualTime } from '../helpers/manual-time.ts'

test('a monitor is ready once it has a view, and while a broker answers', () => {
  const [health, source] = [new WatchHealth(60), new MadeSource()]
  assert.deepEqual(health.ready(), { isGood: false, reason: 'no broker has answered yet' })
  health.watches(source)
  assert.deepEqual(health.ready(), { isGood: false, reason: 'it reads the pipeline for the first time' })
  source.show(aView())
  assert.deepEqual(health.ready(), { isGood: true, reason: 'it watches pipeline rowmill' })
  source.show(aView({ unreachableSince: MADE_AT - 7900 }))
  assert.deepEqual(health.ready(), { isGood: false, reason: 'no broker has answered for 7 s' })
})

test('a monitor is live while views come, whatever they show, and not when its watch hangs', async () => {
  const time = new ManualTime()
  const [health, source] = [new WatchHealth(60, time), new MadeSource()]
  await time.pass(1000_000)
  assert.deepEqual(health.live(), { isGood: true, reason: 'it has not read the pipeline yet' })
  health.watches(source)
  source.show(aView({ unreachableSince: 0 }))
  await time.pass(59_000)
  assert.deepEqual(health.live(), { isGood: true, reason: 'it looked at pipeline rowmill 59 s ago' })
  await time.pass(1000)
  assert.deepEqual(health.live(), { isGood: false, reason: 'it looked at pipeline rowmill 60 s ago' })
})

test('a monitor of a pipeline without topics is live and not ready, and says what is missing', () => {
  const [health, source] = [new WatchHealth(60), new MadeSource()]
  health.watches(source)
  const noTopics = { since: MADE_AT, missing: 'rowmill.jobs', wereThere: false, lastJob: null }
  const none = 'pipeline rowmill has no topics yet: start rowmill publish or rowmill work'
  source.show(aView({ noTopics }))
  assert.deepEqual(health.ready(), { isGood: false, reason: none })
  assert.deepEqual(health.live(), { isGood: true, reason: `it looked at pipeline rowmill 0 s ago; ${none}` })
  source.show(aView({ noTopics: { ...noTopics, wereThere: true } }))
  assert.deepEqual(health.ready(), { isGood: false, reason: 'the topics of pipeline rowmill are gone' })
  source.show(aView({ noTopics, unreachableSince: MADE_AT - 7900 }))
  assert.deepEqual(health.ready(), { isGood: false, reason: 'no broker has answered for 7 s' })
})
