import assert from 'node:assert/strict'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import Connection from 'kafkajs/src/network/connection.js'
import encodeFrame from 'kafkajs/src/protocol/request.js'
import request from 'kafkajs/src/protocol/requests/produce/index.js'
import { compress } from '../../src/kafka/compression.ts'
import { mendConnections } from '../../src/kafka/connection.ts'
import { outgoingBatch } from '../../src/kafka/outgoing-batch.ts'
import { decodeAnswer, encodeProduce, type ProducedBatch } from '../../src/kafka/produce-request.ts'
import { COMPRESSIONS } from '../../src/options.ts'
import { produceAnswer } from '../fakes/produce-answer.ts'

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
  headers: [messages(70, 10).map((message, i) => ({ ...message, headers: { tráce: `${i}`, b: 'x'.repeat(i) } }))],
  'several partitions': [messages(2, 63), messages(65, 64), messages(64, 8191), messages(3, 8192)],
}

/** KafkaJS has no codec but gzip. It gets ours, since what they make is not compared here. */
function registerCodecs(): void {
  const codecs = kafkajs.CompressionCodecs as Record<number, () => unknown>
  for (const [type, name] of COMPRESSIONS.entries())
    if (name !== 'none' && name !== 'gzip')
      codecs[type] = () => ({ compress: ({ buffer }: { buffer: Buffer }) => compress(name, buffer) })
}

for (const [shape, partitions] of Object.entries(SHAPES)) {
  test(`our request has the bytes of KafkaJS, with every codec: ${shape}`, async t => {
    t.mock.timers.enable({ apis: ['Date'], now: TIME_MS })
    registerCodecs()
    const topicData = [
      { topic: 'rows', partitions: partitions.map((messages, i) => ({ partition: 3 * i, messages })) },
      { topic: 'jöbs', partitions: [{ partition: 0, messages: messages(1, 20) }] },
    ]
    for (const [codec, compression] of COMPRESSIONS.entries()) {
      const batches: ProducedBatch[] = []
      for (const { topic, partitions } of topicData)
        for (const { partition, messages } of partitions)
          batches.push({ topic, partition, batch: await outgoingBatch(messages, { timeMs: TIME_MS, compression }) })
      for (const version of [3, 7]) {
        const call = { acks: -1, timeout: 30_000, compression: codec, topicData }
        const theirs = await encodeFrame({ ...HEAD, request: request.protocol({ version })(call).request })
        const ours = encodeProduce(batches, { ...HEAD, version })
        assert.ok(ours.equals(theirs.buffer), `${compression}, version ${version}`)
      }
    }
  })
}

test('a topic that comes twice is in the request once', async () => {
  const of = async (topic: string, partition: number) => {
    return { topic, partition, batch: await outgoingBatch(messages(1, 5), { timeMs: TIME_MS, compression: 'none' }) }
  }
  const [a, b, c] = [await of('rows', 0), await of('jobs', 0), await of('rows', 1)]
  const head = { ...HEAD, version: 7 }
  assert.deepEqual(encodeProduce([a, b, c], head), encodeProduce([a, c, b], head))
})

test('an answer says of each partition whether it is written', () => {
  for (const version of [3, 5, 6, 7]) {
    const answer = produceAnswer(version, [
      { topic: 'rows', partition: 0, offset: 7 },
      { topic: 'rows', partition: 3, code: 6 },
      { topic: 'jobs', partition: 0, code: 10 },
    ])
    const { outcomes, clientSideThrottleTime } = decodeAnswer(answer, version)
    const types = [...outcomes].map(([at, outcome]) => [at, typeof outcome === 'number' ? outcome : typeOf(outcome)])
    assert.deepEqual(types, [
      ['rows/0', 7],
      ['rows/3', 'NOT_LEADER_FOR_PARTITION'],
      ['jobs/0', 'MESSAGE_TOO_LARGE'],
    ])
    assert.equal(clientSideThrottleTime, version >= 6 ? 12 : 0)
  }
})

function typeOf(error: Error): string {
  return (error as Error & { type: string }).type
}

/** Sends a frame over a connection whose socket ends the write when `ended` is called. */
function sent() {
  mendConnections()
  const frame = Buffer.from(new TextEncoder().encode('the frame').buffer) // not in the pool
  const calls: unknown[] = []
  let ended: (error?: Error | null) => void = () => {}
  const connection: Connection = Object.assign(Object.create(Connection.prototype), {
    clientId: HEAD.clientId,
    nextCorrelationId: () => HEAD.correlationId,
    isAuthenticated: () => true,
    failIfNotConnected: () => {},
    requestTimeout: 1000,
    socketFactory: () => {},
    socket: {
      write(bytes: unknown, callback: typeof ended) {
        calls.push(bytes)
        ended = callback
      },
    },
    requestQueue: {
      push: ({ entry, sendRequest }: { entry: { resolve(answer: unknown): void }; sendRequest(): void }) => {
        sendRequest()
        entry.resolve({ payload: Buffer.from('answer') })
      },
      maybeThrottle: (ms: number) => calls.push(ms),
    },
  })
  const write = (head: unknown) => {
    calls.push(head)
    return frame
  }
  const decode = async (payload: Buffer) => ({ clientSideThrottleTime: 5, text: payload.toString() })
  const answer = connection.send({ request: { apiKey: 0, frame: write }, response: { decode } } as never)
  return { frame, calls, answer, ended: (error?: Error | null) => ended(error) }
}

test('a connection writes the frame of a request as it is', async () => {
  const { answer, calls, frame } = sent()
  assert.partialDeepStrictEqual(await answer, { text: 'answer' })
  assert.deepEqual(calls, [HEAD, frame, 5])
})

test('a frame is freed when it is written, and not before, even if there is an answer', async () => {
  const { answer, ended, frame } = sent()
  await answer
  assert.equal(`${frame}`, 'the frame')
  ended()
  assert.equal(frame.length, 0)
})

test('a frame that was not written is not freed: the system may still read it', async () => {
  const { answer, ended, frame } = sent()
  await answer
  ended(new Error('the socket was destroyed'))
  assert.equal(`${frame}`, 'the frame')
})
