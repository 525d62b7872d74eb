import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { FramedRequest } from '../../src/kafka/framed-request.ts'
import { Producer } from '../../src/kafka/producer.ts'
import { Rights } from '../../src/kafka/rights.ts'
import { OPEN } from '../../src/kafka/security.ts'
import { type PartitionAnswer, produceAnswer } from '../fakes/produce-answer.ts'

const VERSION = 7
const NOT_LEADER = 6
const NO_RIGHT = 29
const messages = (...texts: string[]) => texts.map(text => ({ key: 'k', value: Buffer.from(text) }))
const rows = (partition: number) => ({ topic: 'rows', partition })

/** What a broker got: who it is, over which connection, and the frame from the acks on. */
interface Got {
  readonly node: string
  readonly connection: number
  readonly bytes: Buffer
}

/** A cluster whose metadata and answers a test gives. */
class HandCluster {
  /** The leader of each partition of `rows`, as the cluster says when it is asked. */
  leaders = [1, 1]
  known: number[] = []
  asked = 0
  readonly got: Got[] = []
  answer: (got: Got) => readonly PartitionAnswer[] | Promise<readonly PartitionAnswer[]> = () =>
    [0, 1].map(partition => ({ ...rows(partition), offset: 5 }))

  async addMultipleTargetTopics(): Promise<void> {
    if (this.asked === 0) await this.refreshMetadata()
  }
  async refreshMetadata(): Promise<void> {
    this.asked++
    this.known = [...this.leaders]
  }
  async refreshMetadataIfNecessary(): Promise<void> {}
  findTopicPartitionMetadata() {
    return this.known.map((leader, partitionId) => ({ leader, partitionId }))
  }
  async findBroker({ nodeId }: { nodeId: string }) {
    const send = (connection: number) => async (call: { request: FramedRequest; response: { decode: Decode } }) => {
      const frame = call.request.frame({ correlationId: this.got.length, clientId: '' })
      const got = { node: nodeId, connection, bytes: frame.subarray(16) }
      this.got.push(got)
      return await call.response.decode(produceAnswer(VERSION, await this.answer(got)))
    }
    const getConnection = async (connection: number) => ({ send: send(connection) })
    return { versions: { 0: { minVersion: 0, maxVersion: 12 } }, connectionPool: { getConnection } }
  }
  async disconnect(): Promise<void> {}
}
type Decode = (answer: Buffer) => Promise<unknown>

function open({ most = 5 } = {}) {
  const cluster = new HandCluster()
  const format = { write: (value: Buffer) => Buffer.concat([Buffer.from('F'), value]), read: (value: Buffer) => value }
  const producer = new Producer(cluster as never, {
    sockets: new Set(),
    format,
    compression: 'none',
    rights: new Rights(['kafka:9092'], OPEN),
    patience: { timeoutMs: 1000 },
    retries: { most, firstMs: 1, longestMs: 1 },
    maxRequestBytes: null,
  })
  return { cluster, producer }
}

test('partitions of one leader share a request, and each resolves with its offset', async () => {
  const { cluster, producer } = open()
  cluster.answer = () => [
    { ...rows(1), offset: 12 },
    { ...rows(0), offset: 7 },
  ]
  const sent = [producer.send(rows(0), messages('a')), producer.send(rows(1), messages('b'))]
  assert.deepEqual(await Promise.all(sent), [7, 12])
  assert.equal(cluster.got.length, 1)
  assert.ok(cluster.got[0]!.bytes.includes('Fa') && cluster.got[0]!.bytes.includes('Fb'))
})

test('a partition whose leader moved is sent to the new one with the same bytes, and the other is not sent again', async t => {
  t.mock.timers.enable({ apis: ['Date'] })
  const { cluster, producer } = open()
  cluster.answer = ({ node }) => {
    t.mock.timers.tick(10)
    cluster.leaders = [1, 2]
    return node === '1'
      ? [
          { ...rows(0), offset: 7 },
          { ...rows(1), code: NOT_LEADER },
        ]
      : [{ ...rows(1), offset: 12 }]
  }
  const sent = [producer.send(rows(0), messages('a')), producer.send(rows(1), messages('b'))]
  assert.deepEqual(await Promise.all(sent), [7, 12])
  const [first, second, ...more] = cluster.got
  assert.deepEqual([first!.node, second!.node, second!.connection, more], ['1', '2', 1, []])
  const batch = second!.bytes.subarray(second!.bytes.indexOf('rows') + 12)
  assert.ok(first!.bytes.includes(batch))
})

test('a partition that the answer leaves out is not acknowledged', async () => {
  const { cluster, producer } = open({ most: 0 })
  cluster.answer = () => [{ ...rows(0), offset: 7 }]
  const sent = [producer.send(rows(0), messages('a')), producer.send(rows(1), messages('b'))]
  assert.equal(await sent[0], 7)
  await assert.rejects(sent[1]!, /did not answer for partition 1 of topic rows/)
})

test('even without retries of its own, the next send asks who leads the partition', async () => {
  const { cluster, producer } = open({ most: 0 })
  cluster.answer = () => [{ ...rows(0), code: NOT_LEADER }]
  await assert.rejects(producer.send(rows(0), messages('a')), { type: 'NOT_LEADER_FOR_PARTITION' })
  cluster.leaders = [2, 2]
  cluster.answer = () => [{ ...rows(0), offset: 3 }]
  assert.equal(await producer.send(rows(0), messages('a')), 3)
  assert.deepEqual(
    cluster.got.map(({ node }) => node),
    ['1', '2'],
  )
})

test('a partition that is new is found with the next send, and one without a leader is waited for', async () => {
  const { cluster, producer } = open()
  await assert.rejects(producer.send(rows(2), messages('a')), { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  cluster.leaders = [1, 1, -1]
  cluster.answer = () => [{ ...rows(2), offset: 0 }]
  const refresh = cluster.refreshMetadata
  cluster.refreshMetadata = async () => {
    await refresh.call(cluster)
    cluster.leaders = [1, 1, 1]
  }
  assert.equal(await producer.send(rows(2), messages('a')), 0)
  assert.equal(cluster.got.length, 1)
})

test('a failure while we ask who leads the partitions is asked about once more, and nobody uses the answer before', async () => {
  const { cluster, producer } = open()
  cluster.leaders = [1, 2]
  const [failing, asking, answered] = [0, 1, 2].map(() => Promise.withResolvers<void>())
  const refresh = cluster.refreshMetadata
  let shared: Promise<void> | null = null
  cluster.refreshMetadata = () => {
    shared ??= slowRefresh().finally(() => {
      shared = null
    })
    return shared
  }
  const slowRefresh = async () => {
    const answer = [...cluster.leaders]
    if (cluster.asked === 1) {
      asking!.resolve()
      await answered!.promise
    }
    await refresh.call(cluster)
    cluster.known = answer
  }
  cluster.answer = async ({ node }) => {
    if (node === '1') cluster.leaders = [3, 2]
    if (node === '2') await failing!.promise
    const code = node === '3' ? {} : { code: NOT_LEADER }
    return [0, 1].map(partition => ({ ...rows(partition), offset: 5, ...code }))
  }
  const sent = [producer.send(rows(0), messages('a')), producer.send(rows(1), messages('b'))]
  await asking!.promise
  cluster.leaders = [3, 3]
  failing!.resolve()
  await setImmediate() // the failure has arrived
  answered!.resolve()
  assert.deepEqual(await Promise.all(sent), [5, 5])
  assert.deepEqual(cluster.got.map(({ node }) => node).sort(), ['1', '2', '3', '3'])
})

test('a missing right is named with its topic, and not asked for again', async () => {
  const { cluster, producer } = open()
  cluster.answer = () => [{ ...rows(0), code: NO_RIGHT }]
  await assert.rejects(producer.send(rows(0), messages('a')), { code: 'NOT_AUTHORIZED', message: /Write topic rows/ })
  assert.equal(cluster.got.length, 1)
})

test('a send whose signal aborts is not repeated', async () => {
  const { cluster, producer } = open()
  const stop = new AbortController()
  cluster.answer = () => {
    stop.abort()
    return [{ ...rows(0), code: NOT_LEADER }]
  }
  await assert.rejects(producer.send(rows(0), messages('a'), stop.signal), { type: 'NOT_LEADER_FOR_PARTITION' })
  assert.equal(cluster.got.length, 1)
})
