import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { Contact, longestRequestMs, silentMsOf } from '../../src/kafka/contact.ts'
import { Outage } from '../../src/kafka/outage.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const never = new AbortController().signal

function timedOut(): Error {
  return Object.assign(new Error('Request timed out'), { name: 'KafkaJSRequestTimeoutError', retriable: true })
}

/** What a request throws that fails `afterMs` after it began. */
async function failure(
  contact: Contact,
  clock: { ms: number },
  afterMs: number,
): Promise<Error & { retriable?: boolean }> {
  const fails = async () => {
    clock.ms += afterMs
    throw timedOut()
  }
  return await contact.asking(fails, { isAnswer: true }).then(
    () => assert.fail('it must fail'),
    error => error,
  )
}

function contactWithClock(stop = never) {
  const clock = { ms: 1000 }
  return { clock, contact: new Contact({ timeoutMs: 8000, stop, now: () => clock.ms }) }
}

test('requests are repeated until the broker timeout, and the failure after it is final', async () => {
  const { contact, clock } = contactWithClock()
  assert.equal((await failure(contact, clock, 5000)).retriable, true)
  const last = await failure(contact, clock, 5000)
  assert.equal(last.retriable, false)
  assert.equal(silentMsOf(new Error('wrapped', { cause: last })), 10_000)
})

test('an answer ends a silence, but an answer before the login does not', async () => {
  const { contact, clock } = contactWithClock()
  await failure(contact, clock, 5000)
  await contact.asking(async () => {}, { isAnswer: true })
  assert.equal((await failure(contact, clock, 5000)).retriable, true)
  await contact.asking(async () => {}, { isAnswer: false })
  assert.equal((await failure(contact, clock, 5000)).retriable, false)
})

test('an error of the broker is an answer', async () => {
  const { contact, clock } = contactWithClock()
  await failure(contact, clock, 5000)
  const refused = Object.assign(new Error('not the leader'), { name: 'KafkaJSProtocolError' })
  await assert.rejects(
    contact.asking(() => Promise.reject(refused), { isAnswer: true }),
    refused,
  )
  assert.equal((await failure(contact, clock, 5000)).retriable, true)
})

test('a failure long ago does not count for the next one', async () => {
  const { contact, clock } = contactWithClock()
  await failure(contact, clock, 1000)
  clock.ms += 60_000
  assert.equal((await failure(contact, clock, 1000)).retriable, true)
})

test('a connection that is being made fails as soon as the command is told to end', async () => {
  const stop = new AbortController()
  const { contact } = contactWithClock(stop.signal)
  const connecting = contact.connecting(() => new Promise<never>(() => {}))
  stop.abort()
  await assert.rejects(connecting, { retriable: false, message: 'the command was told to end' })
})

test('clean-up may ask until no answer comes for 5 s; then nothing more is sent', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stop = new AbortController()
  const { contact } = contactWithClock(stop.signal)
  contact.add(new Socket().on('error', () => {}))
  stop.abort()
  t.mock.timers.tick(4000)
  await contact.asking(async () => {}, { isAnswer: true })
  t.mock.timers.tick(5000)
  await contact.connecting(async () => {})
  t.mock.timers.tick(5000)
  const sent = t.mock.fn(async () => {})
  await assert.rejects(contact.asking(sent, { isAnswer: true }), { retriable: false })
  assert.equal(sent.mock.callCount(), 0)
})

test('the silence before the first failure is part of an outage', async () => {
  const time = new ManualTime()
  const outage = new Outage('read', () => {}, { timeoutMs: 20_000 }, time)
  const late = Object.assign(timedOut(), { silentMs: 20_000 })
  await assert.rejects(outage.failed(late, never), { code: 'BROKER_UNREACHABLE', message: /^cannot read for 20 s/ })
})

test('a request has half the broker timeout, and never less than 5 s', () => {
  assert.deepEqual([1000, 20_000, 300_000].map(longestRequestMs), [5000, 10_000, 150_000])
})
