import assert from 'node:assert/strict'
import { test } from 'node:test'
import encodeFrame from 'kafkajs/src/protocol/request.js'
import request from 'kafkajs/src/protocol/requests/fetch/index.js'
import { encodeFetch } from '../../src/kafka/fetch-request.ts'

const HEAD = { correlationId: 77, clientId: 'rowmill-publish-ä' }
const LIMITS = { maxWaitMs: 2000, maxBytes: 50_000_000, maxPartitionBytes: 1_000_000 }
const VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11]

const topic = (name: string, offsets: readonly number[]) =>
  offsets.map((offset, partition) => ({ topic: name, partition, offset }))

const SHAPES = {
  'no partition': [],
  'one partition': [topic('rows', [0])],
  'many partitions of two topics': [
    topic(
      'rows',
      Array.from({ length: 300 }, (_, i) => i * 7),
    ),
    topic('jöbs', [5]),
  ],
  'a topic that comes twice': [topic('rows', [1]), topic('bulk', [2, 3]), topic('rows', [4])],
  'offsets beyond 32 bits': [topic('rows', [2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])],
}

for (const [shape, groups] of Object.entries(SHAPES)) {
  test(`our request has the bytes of KafkaJS, in every version: ${shape}`, async () => {
    const topics = groups.map(offsets => ({
      topic: offsets[0]!.topic,
      partitions: offsets.map(({ partition, offset }) => {
        return { partition, fetchOffset: String(offset), maxBytes: LIMITS.maxPartitionBytes }
      }),
    }))
    for (const version of VERSIONS)
      for (const rack of ['', 'räck-1']) {
        const { maxWaitMs: maxWaitTime, maxBytes } = LIMITS
        const call = { maxWaitTime, minBytes: 1, maxBytes, isolationLevel: 1, rackId: rack, topics }
        const theirs = await encodeFrame({ ...HEAD, request: request.protocol({ version })(call).request })
        const ours = encodeFetch({ offsets: groups.flat(), ...LIMITS, rack }, { ...HEAD, version })
        assert.ok(ours.equals(theirs.buffer), `version ${version}, rack ${rack}`)
      }
  })
}
