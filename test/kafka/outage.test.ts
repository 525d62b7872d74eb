import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Contact } from '../../src/kafka/contact.ts'
import type { Patience } from '../../src/kafka/limits.ts'
import { Outage } from '../../src/kafka/outage.ts'
import { OutageNotices } from '../../src/kafka/outage-notices.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const NO_ANSWER = new Error('connect ECONNREFUSED')
const { signal } = new AbortController()

function outageOf(timeoutMs = 60_000, more: Partial<Patience> = {}) {
  const time = new ManualTime()
  const said: string[] = []
  const outage = new Outage('read rows', text => said.push(text), { timeoutMs, ...more }, time)
  /** One more failed request; returns the pause before the next retry. */
  const fails = async (error: unknown = NO_ANSWER): Promise<number> => {
    const began = time.now()
    let ended: number | null = null
    const waiting = outage.failed(error, signal).finally(() => {
      ended = time.now()
    })
    waiting.catch(() => {})
    while (ended === null) await time.pass(100)
    await waiting
    return ended - began
  }
  return { time, said, outage, fails }
}

test('the pauses between retries double, up to a second', async () => {
  const { fails } = outageOf()
  const pauses: number[] = []
  for (let i = 0; i < 6; i++) pauses.push(await fails())
  assert.deepEqual(pauses, [100, 200, 400, 800, 1000, 1000])
})

test('the pauses are those of reconnect.backoff.ms and reconnect.backoff.max.ms', async () => {
  const pausesOf = async (firstMs: number, longestMs: number) => {
    const { fails } = outageOf(60_000, { pauses: { firstMs, longestMs } })
    return [await fails(), await fails(), await fails(), await fails()]
  }
  assert.deepEqual(await pausesOf(200, 500), [200, 400, 500, 500])
  assert.deepEqual(await pausesOf(2000, 1000), [2000, 2000, 2000, 2000])
})

test('an outage is fatal after as many retries as are allowed, and a good request begins the count again', async () => {
  const { outage, fails } = outageOf(60_000, { retries: 2 })
  await fails()
  await fails()
  outage.over()
  await fails()
  await fails()
  await assert.rejects(fails(), {
    code: 'BROKER_UNREACHABLE',
    message: 'cannot read rows after 2 retries: connect ECONNREFUSED',
  })
})

test('an outage longer than a second is logged once, and so is its end', async () => {
  const { said, outage, fails } = outageOf()
  for (let i = 0; i < 4; i++) await fails()
  assert.deepEqual(said, [])
  for (let i = 0; i < 4; i++) await fails()
  assert.deepEqual(said, ['cannot read rows: connect ECONNREFUSED. Retrying for --broker-timeout 60 s.'])
  outage.over()
  assert.equal(said.at(-1), 'the broker is back: can read rows again')
  assert.equal(said.length, 2)
})

test('a request that fails because the command was told to end is not logged', async () => {
  const stop = new AbortController()
  const contact = new Contact({ timeoutMs: 60_000, stop: stop.signal })
  const connecting = contact.connecting(() => new Promise(() => {}))
  stop.abort()
  const stopped: Error = await connecting.then(
    () => assert.fail('it connected'),
    error => error,
  )
  const wrapped = Object.assign(new Error(stopped.message), { name: 'KafkaJSNonRetriableError', cause: stopped })
  for (const error of [stopped, wrapped]) {
    const { said, outage, fails } = outageOf()
    for (let i = 0; i < 3; i++) await fails()
    for (let i = 0; i < 8; i++) await fails(error)
    outage.over()
    assert.deepEqual(said, [])
  }
})

test('a short outage is not logged, and the next one begins with short pauses', async () => {
  const { said, outage, fails } = outageOf()
  await fails()
  await fails()
  outage.over()
  assert.equal(await fails(), 100)
  assert.deepEqual(said, [])
})

test('after its time-out an outage is fatal, with its duration in seconds', async () => {
  const { time, outage, fails } = outageOf()
  await fails()
  await time.pass(60_900)
  await assert.rejects(fails(), {
    code: 'BROKER_UNREACHABLE',
    message: 'cannot read rows for 61 s: connect ECONNREFUSED',
  })
  outage.over()
  await fails()
})

test('an error that no retry can help is fatal at once', async () => {
  const { said, fails } = outageOf()
  const refused = Object.assign(new Error('not authorized'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  await assert.rejects(fails(refused), { code: 'TOPIC_UNUSABLE', message: 'cannot read rows: not authorized' })
  assert.deepEqual(said, [])
})

test('a pause ends as soon as its signal aborts', async () => {
  const time = new ManualTime()
  const stop = new AbortController()
  const waiting = new Outage('read rows', () => {}, { timeoutMs: 60_000 }, time).failed(NO_ANSWER, stop.signal)
  stop.abort()
  await waiting
  assert.equal(time.now(), new ManualTime().now())
})

test('connections that fail alike tell it once, and the end when the last one works again or is given up', async () => {
  const time = new ManualTime()
  const said: string[] = []
  const patience = { timeoutMs: 60_000, notices: new OutageNotices() }
  const [one, two, three] = [1, 2, 3].map(() => new Outage('read', text => said.push(text), patience, time))
  const failFor3s = async (outage: Outage, error = NO_ANSWER) => {
    for (const until = time.now() + 3000; time.now() < until; ) {
      const waiting = outage.failed(error, signal)
      await time.pass(1000)
      await waiting
    }
  }
  await failFor3s(one!)
  await failFor3s(two!)
  await failFor3s(three!, new Error('connect EHOSTUNREACH'))
  const retrying = 'Retrying for --broker-timeout 60 s.'
  const told = [`cannot read: connect ECONNREFUSED. ${retrying}`, `cannot read: connect EHOSTUNREACH. ${retrying}`]
  assert.deepEqual(said, told)
  one!.over()
  three!.close()
  assert.deepEqual(said, told)
  two!.over()
  const back = 'the broker is back: can read again'
  assert.deepEqual(said, [...told, back])
  said.length = 0
  await failFor3s(one!)
  await failFor3s(two!)
  one!.over()
  two!.close() // its command is done before it has tried again
  assert.deepEqual(said, [told[0], back])
  said.length = 0
  await failFor3s(one!)
  one!.close()
  assert.deepEqual(said, [told[0]], 'it was given up, and nobody knows whether the broker is back')
})
