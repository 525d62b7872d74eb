import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { OutgoingMessage, Producer, TopicPartition } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import { HandLeaders } from '../fakes/hand-leaders.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const silent = () => {}
const at = (partition: number): TopicPartition => ({ topic: 't', partition })
const message = (value: string | Buffer): OutgoingMessage => ({ key: 'k', value: Buffer.from(value) })

/** A sender whose requests the test answers. */
function handSender(t: TestContext, time = new ManualTime()) {
  const leaders = new HandLeaders(time)
  const sender = new PartitionSender(leaders as unknown as Producer, silent, time)
  t.after(async () => {
    const closing = sender.close()
    for (const request of [...leaders.open]) request.lose(new Error('the test is over'))
    await closing
  })
  return { leaders, sender, time }
}

const refusal = () => Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE', retriable: false })
const failure = (text: string) => Object.assign(new Error(text), { type: 'NOT_LEADER_FOR_PARTITION', retriable: true })
const values = (leaders: HandLeaders) => leaders.all.map(request => request.values)

test('a batch that the broker finds too large is sent in parts, in order, and later ones are smaller', async t => {
  const { leaders, sender } = handSender(t)
  const sizes = [400_001, 400_002, 100_001, 100_002]
  const sent = sizes.map(bytes => sender.send(at(0), message(Buffer.alloc(bytes))))
  ;(await leaders.next()).answer({ 0: refusal() })
  for (let answered = 1; answered < 4; answered++) {
    while (leaders.all.length <= answered) await turn()
    leaders.all[answered]!.answer()
  }
  await Promise.all(sent)
  const asked = leaders.all.map(({ values }) => values[0]!.map(value => Number.parseInt(value, 10)))
  assert.deepEqual(asked, [[400_001, 400_002, 100_001], [400_001], [400_002], [100_001, 100_002]])
  assert.equal(sender.bytes, 0)
})

test('the bytes of half of the refused messages are the limit of that topic, however little of the request they were', async t => {
  const { leaders, sender } = handSender(t)
  const other = { topic: 'other', partition: 1 }
  const texts = ['1', '2', '3', '4'].map(digit => digit.repeat(60))
  const sent = [...texts.map(text => sender.send(at(0), message(text))), sender.send(other, message('a'))]
  ;(await leaders.next()).answer({ 0: refusal() })
  sent.push(...texts.map(text => sender.send(other, message(text))))
  while (sender.bytes > 0) {
    await turn()
    for (const request of [...leaders.open]) request.answer()
  }
  await Promise.all(sent)
  const counts = (partition: number) => leaders.all.flatMap(({ values }) => values[partition]?.length ?? [])
  assert.deepEqual(
    [counts(0), counts(1)],
    [
      [4, 2, 2],
      [1, 4],
    ],
  )
})

test('messages that wait while the leader is busy are one batch of each partition in the next request', async t => {
  const { leaders, sender } = handSender(t)
  const sent = [sender.send(at(0), message('a'))]
  const first = await leaders.next()
  sent.push(...['b', 'c', 'd'].map(value => sender.send(at(0), message(value))))
  sent.push(...['x', 'y'].map(value => sender.send(at(1), message(value))))
  await turn()
  assert.deepEqual(values(leaders), [{ 0: ['a'] }])
  first.answer()
  const second = await leaders.next()
  assert.deepEqual(second.values, { 0: ['b', 'c', 'd'], 1: ['x', 'y'] })
  second.answer()
  await Promise.all(sent)
  assert.equal(leaders.all.length, 2)
})

test('a slow partition delays no other, and still has one batch in flight', async t => {
  const { leaders, sender, time } = handSender(t)
  const slow = [sender.send(at(0), message('a'))]
  await turn()
  slow.push(sender.send(at(0), message('b')))
  const quick = sender.send(at(1), message('x'))
  await time.pass(499)
  assert.deepEqual(values(leaders), [{ 0: ['a'] }])
  await time.pass(1)
  await turn()
  assert.deepEqual(values(leaders), [{ 0: ['a'] }, { 1: ['x'] }])
  leaders.open[1]!.answer()
  await quick
  leaders.open[0]!.answer()
  const last = await leaders.next()
  assert.deepEqual(last.values, { 0: ['b'] })
  last.answer()
  await Promise.all(slow)
})

test('messages of one turn go in the first request, of at most a megabyte', async t => {
  const { leaders, sender } = handSender(t)
  const sizes = [400_000, 400_000, 400_000, 2_000_000, 10]
  const sent = sizes.map(size => sender.send(at(0), message(Buffer.alloc(size))))
  for (let i = 0; i < 4; i++) (await leaders.next()).answer()
  await Promise.all(sent)
  assert.deepEqual(
    leaders.all.map(({ values }) => values[0]!.length),
    [2, 1, 1, 1],
  )
})

test('a request has at most 2,000 messages, so that encoding does not block the process', async t => {
  const { leaders, sender } = handSender(t)
  const sent = Array.from({ length: 4001 }, (_, i) => sender.send(at(0), message(String(i))))
  for (let i = 0; i < 3; i++) (await leaders.next()).answer()
  await Promise.all(sent)
  assert.deepEqual(
    leaders.all.map(({ values }) => [values[0]!.length, values[0]![0]]),
    [
      [2000, '0'],
      [2000, '2000'],
      [1, '4000'],
    ],
  )
})

test('what is not acknowledged is repeated as it is, before anything else goes to its partition; others continue', async t => {
  const { leaders, sender, time } = handSender(t)
  const sent = ['a', 'b'].map(value => sender.send(at(0), message(value)))
  sent.push(sender.send(at(1), message('x')))
  const first = await leaders.next()
  sent.push(sender.send(at(0), message('c')), sender.send(at(1), message('y')))
  let acked = false
  void sent[0]!.then(() => {
    acked = true
  })
  first.answer({ 0: failure('moved') })
  const beside = await leaders.next()
  assert.deepEqual(beside.values, { 1: ['y'] })
  beside.answer()
  await Promise.all([sent[2], sent[4]])
  assert.equal(acked, false)
  await time.pass(100)
  const again = await leaders.next()
  assert.deepEqual(again.values, { 0: ['a', 'b'] })
  assert.equal(again.messages[0], first.messages[0])
  again.answer()
  const last = await leaders.next()
  assert.deepEqual(last.values, { 0: ['c'] })
  last.answer()
  await Promise.all(sent)
})

test('partitions that fail for the same reason are one failure of the broker, and wait together', async t => {
  const { leaders, sender, time } = handSender(t)
  Object.assign(leaders.patience, { retries: 1 })
  const retried = new PartitionSender(leaders as unknown as Producer, silent, time)
  t.after(() => retried.close())
  const sent = [0, 1, 2].map(partition => retried.send(at(partition), message('a')))
  ;(await leaders.next()).lose(failure('the connection was closed'))
  await time.pass(100)
  for (let answered = 0; answered < 3; answered++) (await leaders.next()).answer()
  await Promise.all(sent)
  assert.deepEqual(values(leaders), [{ 0: ['a'], 1: ['a'], 2: ['a'] }, { 0: ['a'] }, { 1: ['a'] }, { 2: ['a'] }])
  assert.equal(sender.bytes, 0)
})

test('room waits until the unacknowledged bytes are below the limit', async t => {
  const { leaders, sender } = handSender(t)
  leaders.leads = ({ partition }) => String(partition)
  const sent = [sender.send(at(0), message('12345')), sender.send(at(1), message('12345'))]
  assert.equal(sender.bytes, 10)
  await sender.room(11)
  let room = false
  const waiting = sender.room(10).then(() => {
    room = true
  })
  const first = await leaders.next()
  await turn()
  assert.equal(room, false)
  first.answer()
  await waiting
  assert.equal(sender.bytes, 5)
  leaders.open[0]!.answer()
  await Promise.all(sent)
  await sender.room(1)
})

test('room returns after a refusal, even for messages queued after the refused one', async t => {
  const { leaders, sender } = handSender(t)
  const refused = assert.rejects(sender.send(at(0), message('large')), { code: 'TOPIC_UNUSABLE' })
  const first = await leaders.next()
  const queued = [1, 2, 3].map(() => assert.rejects(sender.send(at(0), message('12345')), { code: 'TOPIC_UNUSABLE' }))
  first.answer({ 0: refusal() })
  await Promise.all([refused, ...queued])
  await turn()
  assert.equal(sender.bytes, 0)
  await sender.room(1)
})

test('close rejects unacknowledged messages and later calls, and releases waits for room', async () => {
  const leaders = new HandLeaders()
  const sender = new PartitionSender(leaders as unknown as Producer, silent)
  const inFlight = assert.rejects(sender.send(at(0), message('a')), /the sender was closed/)
  const request = await leaders.next()
  const waiting = assert.rejects(sender.send(at(0), message('b')), /the sender was closed/)
  const room = sender.room(1)
  const closing = sender.close()
  request.lose(new Error('the connection was closed'))
  await Promise.all([closing, inFlight, waiting, room])
  await assert.rejects(sender.send(at(0), message('c')), /the sender was closed/)
  assert.equal(leaders.all.length, 1)
})

test('close can be called twice', async () => {
  const sender = new PartitionSender(new HandLeaders() as unknown as Producer, silent)
  await Promise.all([sender.close(), sender.close()])
  await sender.close()
})
