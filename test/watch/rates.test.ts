import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assembleView } from '../../src/watch/assemble-view.ts'
import { etaSeconds } from '../../src/watch/eta.ts'
import { RateWindow } from '../../src/watch/rate-window.ts'
import { madeFacts } from './made-facts.ts'

const NOW = 1_000_000_000_000

test('a rate is over the last 30 s, or since the first of them, whatever the order in which they come', () => {
  const window = new RateWindow()
  assert.deepEqual([window.rate(NOW), window.firstAt, window.lastAt], [0, null, null])
  window.add(NOW - 1000, 50)
  window.add(NOW - 10_000, 50)
  assert.deepEqual([window.rate(NOW), window.firstAt, window.lastAt], [10, NOW - 10_000, NOW - 1000])
  window.add(NOW - 300_000, 1_000_000)
  assert.equal(window.rate(NOW), 100 / 30)
  assert.equal(window.rate(NOW + 60_000), 0)
})

test('a rate never counts more than came, and all of it while 30 s have not passed', () => {
  const anyCount = fc.record({ ago: fc.integer({ min: 1000, max: 29_000 }), count: fc.nat(1000) })
  fc.assert(
    fc.property(fc.array(anyCount, { minLength: 1 }), counts => {
      const window = new RateWindow()
      for (const { ago, count } of counts) window.add(NOW - ago, count)
      const seconds = Math.max(...counts.map(({ ago }) => ago)) / 1000
      const sum = counts.reduce((all, { count }) => all + count, 0)
      assert.ok(Math.abs(window.rate(NOW) * seconds - sum) < 1e-6)
    }),
  )
})

test('the slowest partition decides when a job is done, and the partitions of one worker share its speed', () => {
  const load = (left: number, rowsPerSecond: number, owner: string | null = null) => ({ left, rowsPerSecond, owner })
  assert.equal(etaSeconds([load(100, 10), load(100, 5)]), 20)
  assert.equal(etaSeconds([load(100, 15, 'a'), load(200, 0, 'a')]), 20)
  assert.equal(etaSeconds([load(100, 10), load(300, 0)]), 40)
  assert.equal(etaSeconds([load(0, 0), load(0, 3)]), 0)
  assert.equal(etaSeconds([load(1, 0)]), null)
})

test('a stalled job has no rate now, also where its last rows came less than 30 s ago', () => {
  const rates = (stalledAfterMs: number) => {
    const [job] = assembleView({ ...madeFacts(), stalledAfterMs }).jobs
    return [job!.phase, job!.rate.now > 0, job!.partitions.some(({ rowsPerSecond }) => rowsPerSecond > 0)]
  }
  assert.deepEqual(rates(60_000), ['classifying', true, true])
  assert.deepEqual(rates(4000), ['stalled', false, false])
})
