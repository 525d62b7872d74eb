import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heartbeats } from '../../src/work/heartbeats.ts'
import { ManualTime } from '../helpers/manual-time.ts'

function hearts(cpuMs: (name: string) => number | null = () => null) {
  const time = new ManualTime()
  const asked: string[] = []
  const silent: string[] = []
  const beats = new Heartbeats(
    { patienceMs: 3000, time },
    { ask: name => asked.push(name), silent: name => silent.push(name), cpuMs },
  )
  return { time, asked, silent, beats }
}

test('one that does not answer for as long as the patience is named once; one that answers never is', async () => {
  const { time, asked, silent, beats } = hearts()
  beats.answered('a')
  beats.answered('b')
  for (let second = 0; second < 10; second++) {
    await time.pass(1000)
    beats.answered('b')
    assert.deepEqual(silent, second < 3 ? [] : ['a'])
  }
  assert.equal(asked.filter(name => name === 'b').length, 10)
})

test('after a stop of this process nobody is blamed for the seconds that are missing', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const silent: string[] = []
  const beats = new Heartbeats(
    { patienceMs: 3000 },
    { ask: () => {}, silent: name => silent.push(name), cpuMs: () => null },
  )
  beats.answered('a')
  t.mock.timers.tick(1000) // a timer that is an hour late fires once, like this one
  assert.deepEqual(silent, [])
  beats.close()
})

test('nobody asks for one that is forgotten, or after the end', async () => {
  const { time, asked, beats } = hearts()
  beats.answered('a')
  beats.answered('b')
  beats.forget('a')
  await time.pass(1000)
  assert.deepEqual(asked, ['b'])
  beats.close()
  await time.pass(1000)
  assert.deepEqual(asked, ['b'])
})

test('one that used some CPU on a busy machine is not silent; one that stopped, or whose loop blocks, is', async () => {
  let second = 0
  const cpu = new Map([
    ['starved', () => second * 10],
    ['stopped', () => 500],
    ['blocks', () => second * 900],
  ])
  const { time, silent, beats } = hearts(name => cpu.get(name)!())
  for (const name of cpu.keys()) beats.answered(name)
  for (; second < 10; second++) await time.pass(1000)
  assert.deepEqual(silent, ['stopped', 'blocks'])
  second = 0
  cpu.set('starved', () => 100) // now it is stopped too
  await time.pass(4000)
  assert.deepEqual(silent, ['stopped', 'blocks', 'starved'])
})
