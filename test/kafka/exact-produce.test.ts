import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../../src/kafka/index.ts'
import Connection from 'kafkajs/src/network/connection.js'
import encodeFrame from 'kafkajs/src/protocol/request.js'
import request from 'kafkajs/src/protocol/requests/produce/index.js'
import { registerCodecs } from '../../src/kafka/compression.ts'
import { ExactMessage, encodeProduce, writeExactly } from '../../src/kafka/exact-produce.ts'
import { COMPRESSIONS } from '../../src/options.ts'

const TIME_MS = 1_790_000_000_123
const HEAD = { correlationId: 77, clientId: 'rowmill-publish-ä' }

const messages = (count: number, bytes: number, key = 'job') =>
  Array.from({ length: count }, (_, i) => ({ key, value: Buffer.alloc(bytes, `${i} value `) }))

const SHAPES = {
  'one message': [messages(1, 130)],
  'an empty key and an empty value': [messages(1, 0, '')],
  'a key beyond ASCII': [messages(3, 10, 'ключ 🗝')],
  '2,000 messages': [messages(2000, 130)],
  'a large message': [messages(1, 2_000_000)],
  'several partitions': [messages(2, 63), messages(65, 64), messages(64, 8191), messages(3, 8192)],
}

for (const [shape, partitions] of Object.entries(SHAPES)) {
  test(`our request has the bytes of KafkaJS, with every codec: ${shape}`, async t => {
    t.mock.timers.enable({ apis: ['Date'], now: TIME_MS })
    registerCodecs()
    const topicData = [
      { topic: 'rows', partitions: partitions.map((messages, i) => ({ partition: 3 * i, messages })) },
      { topic: 'jöbs', partitions: [{ partition: 0, messages: messages(1, 20) }] },
    ]
    for (const compression of COMPRESSIONS.keys())
      for (const version of [3, 7]) {
        const call = { acks: -1, timeout: 30_000, compression, topicData }
        const theirs = await encodeFrame({ ...HEAD, request: request.protocol({ version })(call).request })
        const ours = await encodeProduce(call, { ...HEAD, version, timeMs: TIME_MS })
        assert.ok(ours.equals(theirs.buffer), `${COMPRESSIONS[compression]}, version ${version}`)
      }
  })
}

test('a request of the messages of others is left to KafkaJS, and one of ours is not', () => {
  writeExactly()
  const framed = (message: { key: string; value: Buffer }) => {
    const topicData = [{ topic: 'rows', partitions: [{ partition: 0, messages: [message] }] }]
    return request.protocol({ version: 7 })({ acks: -1, timeout: 30_000, compression: 0, topicData }).request.frame
  }
  const [key, value] = ['k', Buffer.from('v')]
  assert.equal(framed({ key, value }), undefined)
  assert.notEqual(framed(new ExactMessage(key, value, 0)), undefined)
})

test('a connection of KafkaJS writes the frame of a request as it is', async () => {
  const frame = Buffer.from('the frame')
  const calls: unknown[] = []
  const connection: Connection = Object.assign(Object.create(Connection.prototype), {
    clientId: HEAD.clientId,
    nextCorrelationId: () => HEAD.correlationId,
    isAuthenticated: () => true,
    failIfNotConnected: () => {},
    logDebug: () => {},
    socket: { write: (bytes: unknown) => calls.push(bytes) },
    requestQueue: {
      push: ({ entry, sendRequest }: { entry: { resolve(answer: unknown): void }; sendRequest(): void }) => {
        sendRequest()
        entry.resolve({})
      },
    },
  })
  const write = async (head: unknown) => {
    calls.push(head)
    return frame
  }
  await connection.send({ request: { apiKey: 0, expectResponse: () => false, frame: write } as { apiKey: number } })
  assert.equal(calls[1], frame)
  assert.partialDeepStrictEqual(calls[0], HEAD)
})
