import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { OutgoingMessage } from '../../src/kafka/index.ts'
import type { Take } from '../../src/kafka/leader-requests.ts'
import { HandLeaders } from '../fakes/hand-leaders.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const at = (partition: number) => ({ topic: 't', partition })
const message = (value: string | Buffer): OutgoingMessage => ({ key: 'k', value: Buffer.from(value) })
const all =
  (...values: (string | Buffer)[]): Take =>
  room => {
    const messages = values.map(message)
    return room.isEmpty || room.fitting(messages) === messages.length ? messages : []
  }
const refused = (type: string) => Object.assign(new Error(type), { type, retriable: true })
const open = ({ open }: HandLeaders) => open.map(({ node, connection, values }) => ({ node, connection, values }))

test('partitions that wait while a leader is busy travel in its next request; other leaders are asked meanwhile', async () => {
  const leaders = new HandLeaders()
  leaders.leads = ({ partition }) => (partition === 9 ? '2' : '1')
  const sent = [leaders.send(at(0), all('a'))]
  await turn()
  sent.push(leaders.send(at(1), all('b')), leaders.send(at(2), all('c', 'd')), leaders.send(at(9), all('z')))
  await turn()
  assert.deepEqual(open(leaders), [
    { node: '1', connection: 0, values: { 0: ['a'] } },
    { node: '2', connection: 0, values: { 9: ['z'] } },
  ])
  leaders.open[0]!.answer()
  await turn()
  leaders.open[0]!.answer()
  assert.deepEqual(open(leaders), [{ node: '1', connection: 0, values: { 1: ['b'], 2: ['c', 'd'] } }])
  leaders.open[0]!.answer()
  assert.deepEqual(await Promise.all(sent), [0, 0, 0, 0])
})

test('messages are taken when the request is written, with those that came while it waited', async () => {
  const leaders = new HandLeaders()
  const first = leaders.send(at(0), all('a'))
  await turn()
  const waiting = [message('b')]
  const second = leaders.send(at(1), () => waiting)
  await turn()
  waiting.push(message('c'))
  ;(await leaders.next()).answer()
  await first
  await turn()
  assert.deepEqual(leaders.open[0]!.values, { 1: ['b', 'c'] })
  leaders.open[0]!.answer()
  await second
})

test('each partition has its own outcome, and one that failed travels alone until it is acknowledged', async () => {
  const leaders = new HandLeaders()
  const sent = [0, 1, 2].map(partition => leaders.send(at(partition), all('a')))
  ;(await leaders.next()).answer({ 1: refused('NOT_LEADER_FOR_PARTITION') })
  await assert.rejects(sent[1]!, { type: 'NOT_LEADER_FOR_PARTITION' })
  await Promise.all([sent[0], sent[2]])
  const again = [0, 1, 2].map(partition => leaders.send(at(partition), all('b')))
  await turn()
  assert.deepEqual(open(leaders), [
    { node: '1', connection: 0, values: { 0: ['b'], 2: ['b'] } },
    { node: '1', connection: 1, values: { 1: ['b'] } },
  ])
  leaders.open[1]!.answer()
  leaders.open[0]!.answer()
  await Promise.all(again)
  const third = [0, 1, 2].map(partition => leaders.send(at(partition), all('c')))
  await turn()
  assert.deepEqual(open(leaders), [{ node: '1', connection: 0, values: { 0: ['c'], 1: ['c'], 2: ['c'] } }])
  leaders.open[0]!.answer()
  await Promise.all(third)
})

test('without an answer every partition of the request failed', async () => {
  const leaders = new HandLeaders()
  const sent = [0, 1].map(partition => leaders.send(at(partition), all('a')))
  ;(await leaders.next()).lose(new Error('the connection was closed'))
  for (const each of sent) await assert.rejects(each, /the connection was closed/)
})

test('partitions of a slow request hold up no other, and travel alone until they are quick', async () => {
  const time = new ManualTime()
  const leaders = new HandLeaders(time)
  const slow = leaders.send(at(0), all('a'))
  await turn()
  const quick = leaders.send(at(1), all('x'))
  await time.pass(499)
  assert.deepEqual(open(leaders), [{ node: '1', connection: 0, values: { 0: ['a'] } }])
  await time.pass(1)
  await turn()
  assert.deepEqual(open(leaders).slice(1), [{ node: '1', connection: 1, values: { 1: ['x'] } }])
  leaders.open[1]!.answer()
  await quick
  leaders.open[0]!.answer()
  await slow
  const again = [leaders.send(at(0), all('b')), leaders.send(at(1), all('y'))]
  await turn()
  assert.deepEqual(open(leaders), [
    { node: '1', connection: 1, values: { 1: ['y'] } },
    { node: '1', connection: 0, values: { 0: ['b'] } },
  ])
  for (const request of [...leaders.open]) request.answer()
  await Promise.all(again)
  const third = [leaders.send(at(0), all('c')), leaders.send(at(1), all('z'))]
  await turn()
  assert.deepEqual(open(leaders), [{ node: '1', connection: 1, values: { 0: ['c'], 1: ['z'] } }])
  leaders.open[0]!.answer()
  await Promise.all(third)
})

test('a slow partition that is acknowledged slowly again stays alone', async () => {
  const time = new ManualTime()
  const leaders = new HandLeaders(time)
  for (const connection of [0, 0, 0]) {
    const slow = leaders.send(at(0), all('a'))
    await turn()
    assert.deepEqual(open(leaders), [{ node: '1', connection, values: { 0: ['a'] } }])
    await time.pass(500)
    leaders.open[0]!.answer()
    await slow
  }
})

test('a request has at most a megabyte, and 2,000 messages; partitions without room are first in the next one', async () => {
  const leaders = new HandLeaders()
  const large = Buffer.alloc(400_000)
  const sent = [0, 1, 2].map(partition => leaders.send(at(partition), all(large)))
  const many = Array.from({ length: 1500 }, (_, i) => String(i))
  sent.push(leaders.send(at(3), all(...many)), leaders.send(at(4), all(...many)))
  for (let answered = 0; answered < 2; answered++) {
    ;(await leaders.next()).answer()
    await turn()
  }
  await Promise.all(sent)
  const partitions = leaders.all.map(({ values }) => Object.keys(values).map(Number))
  assert.deepEqual(partitions, [
    [0, 1, 3],
    [2, 4],
  ])
})

test('of two sends for one partition, one is in a request', async () => {
  const leaders = new HandLeaders()
  const sent = ['a', 'b'].map(value => leaders.send(at(0), all(value)))
  ;(await leaders.next()).answer()
  await turn()
  ;(await leaders.next()).answer()
  await Promise.all(sent)
  const values = leaders.all.map(request => request.values)
  assert.deepEqual(values, [{ 0: ['a'] }, { 0: ['b'] }])
})
