import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaAdmin } from '../../src/kafka/admin.ts'

/** Fails with each of these errors first, and then answers. */
function failing<T>(errors: readonly Error[], answer: T): () => Promise<T> {
  const left = [...errors]
  return async () => {
    const error = left.shift()
    if (error) throw error
    return answer
  }
}

/** An administrator over KafkaJS methods that the test gives. */
function adminOf(methods: Record<string, () => Promise<unknown>>): KafkaAdmin {
  const cluster = { refreshMetadata: async () => {} }
  const rights = { needing: (_: unknown, request: () => Promise<unknown>) => request() }
  const parts = { brokers: ['b:1'], rights, sockets: new Set(), requestTimeoutMs: 1000 }
  return new KafkaAdmin(methods as never, cluster as never, parts as never)
}

// A broker that stood still for longer than its session has no controller and leads nothing until it is heard again.
test('a moment without controller and leaders ends no command', async () => {
  const noController = Object.assign(new Error('Broker -1 not found'), { name: 'KafkaJSBrokerNotFound' })
  const noLeader = new TypeError("Cannot destructure property 'partitions' of 'low.pop(...)' as it is undefined.")
  const configEntries = [{ configName: 'a', configValue: 'b' }]
  const admin = adminOf({
    describeConfigs: failing([noController, noController], { resources: [{ resourceName: 't', configEntries }] }),
    createTopics: failing([noController], true),
    fetchTopicOffsets: failing([noLeader, noController], [{ partition: 0, low: '3', high: '7' }]),
  })
  assert.deepEqual(await admin.topicConfigs(['t']), new Map([['t', new Map([['a', 'b']])]]))
  assert.equal(await admin.createTopics([]), true)
  assert.deepEqual(await admin.bounds('t', 0), { start: 3, end: 7 })
})
