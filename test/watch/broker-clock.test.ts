import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerClock } from '../../src/watch/broker-clock.ts'
import { ManualTime } from '../helpers/manual-time.ts'

/** Ours is so far ahead of that of the broker. */
function clocks(aheadMs: number) {
  const time = new ManualTime()
  const broker = () => 1_000_000_000 + time.now()
  let set = 0
  const clock = new BrokerClock(time, () => broker() + aheadMs + set)
  const leap = (ms: number) => {
    set += ms
  }
  let end = 10
  const asks = (more = 0) => {
    end += more
    clock.asked(time.now(), { results: [], reports: [end] })
  }
  /** By default one that came since. */
  const reads = (timestamp: number, offset = end) => {
    clock.reads('reports', 0, { offset, timestamp })
    end = Math.max(end, offset + 1)
  }
  return { time, broker, clock, leap, asks, reads }
}

test('clocks that agree stay as they are, whatever messages tell', async () => {
  const { time, broker, clock, asks, reads } = clocks(0)
  assert.equal(clock.now, broker())
  reads(broker() - 60_000, -1)
  assert.equal(clock.now, broker())
  asks()
  await time.pass(700)
  const at = broker()
  await time.pass(700)
  reads(at)
  assert.equal(clock.now, broker())
})

test('a clock that is ahead is set right by a message that came since the ends were asked for', async () => {
  const { time, broker, clock, asks, reads } = clocks(70_000)
  asks()
  reads(broker(), -1)
  assert.equal(clock.now, broker() + 70_000, 'it may have waited for long')
  await time.pass(300)
  reads(broker())
  assert.equal(clock.now, broker() + 300)
  asks()
  asks()
  reads(broker())
  await time.pass(3_600_000)
  assert.equal(clock.now, broker())
})

test('a message below the ends of this look and beyond those of the look before sets it right too', async () => {
  const { time, broker, clock, asks, reads } = clocks(70_000)
  asks()
  await time.pass(300)
  const at = broker()
  await time.pass(700)
  asks(1)
  reads(at, 10)
  assert.equal(clock.now, broker() + 300)
})

test('a clock that is behind is set right by any message, and goes on while none comes', async () => {
  const { time, broker, clock, reads } = clocks(-70_000)
  reads(broker() - 1000, -1)
  assert.equal(clock.now, broker() - 1000)
  assert.equal(clock.earliest, broker() - 1000)
  await time.pass(60_000)
  assert.equal(clock.now, broker() - 1000)
})

test('a machine that slept takes its own clock, until messages tell more', async () => {
  const { broker, clock, leap, asks, reads } = clocks(0)
  asks()
  reads(broker())
  leap(3_600_000) // clocks for durations stand still meanwhile
  assert.equal(clock.now, broker() + 3_600_000)
})

test('a clock of the broker that was set counts as it is now', async () => {
  const { time, broker, clock, asks, reads } = clocks(70_000)
  asks()
  reads(broker())
  await time.pass(1000)
  asks()
  reads(broker() + 30_000)
  assert.equal(clock.now, broker() + 30_000)
  reads(broker() - 30_000)
  assert.equal(clock.now, broker() - 30_000)
})
