import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Pace } from '../../src/watch/pace.ts'
import { ManualTime } from '../helpers/manual-time.ts'

/** A watch whose looks take no time. */
function looking(t: TestContext, options: { readonly rests?: boolean } = {}) {
  const time = new ManualTime()
  const pace = new Pace({ time, ...options })
  const stop = new AbortController()
  t.after(() => stop.abort())
  let looks = 0
  const look = async () => {
    while (!stop.signal.aborted) {
      looks++
      await pace.untilDue(time.now(), stop.signal)
    }
  }
  void look()
  /** How many looks there are in these seconds. */
  const during = async (seconds: number) => {
    const before = looks
    await time.pass(seconds * 1000)
    return looks - before
  }
  return { pace, during }
}

test('a watch looks every second, and every 10 s when nobody has asked for 30 s', async t => {
  const { during } = looking(t)
  assert.equal(await during(29.5), 29)
  const resting = await during(100)
  assert.ok(resting >= 10 && resting <= 11, String(resting))
})

test('a watch that rests looks at once when somebody asks, and then every second for half a minute', async t => {
  const { pace, during } = looking(t)
  await during(65.5)
  pace.asked()
  assert.equal(await during(0.1), 1)
  assert.equal(await during(29), 29)
  await during(10)
  const resting = await during(60)
  assert.ok(resting >= 6 && resting <= 7, String(resting))
})

test('a watch does not rest while somebody looks all the time', async t => {
  const { pace, during } = looking(t)
  const [page, other] = [new AbortController(), new AbortController()]
  pace.asked(page.signal)
  pace.asked(other.signal)
  assert.equal(await during(120), 120)
  page.abort()
  assert.equal(await during(120), 120)
  other.abort()
  assert.ok((await during(29)) >= 29)
  await during(10)
  assert.ok((await during(60)) <= 7)
})

test('a watch that may not rest looks every second, whoever asks', async t => {
  assert.equal(await looking(t, { rests: false }).during(120), 120)
})
