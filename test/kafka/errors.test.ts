import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patiently } from '../../src/kafka/errors.ts'
import { describeKafkaError } from '../../src/kafka/index.ts'

test('a large message, a missing right and a bad name are final, a lost connection is not', () => {
  const said = (type: string) => describeKafkaError(Object.assign(new Error('no'), { type }))
  for (const type of ['MESSAGE_TOO_LARGE', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION']) {
    assert.deepEqual(said(type), { text: 'no', retriable: false, type, code: 'TOPIC_UNUSABLE' })
  }
  assert.equal(said('NOT_LEADER_FOR_PARTITION').retriable, true)
  assert.equal(describeKafkaError(new Error('closed')).retriable, true)
})

test('a request that ends because the command was told to end was not refused by the broker', async () => {
  const stopped = Object.assign(new Error('the command was told to end'), { name: 'RowmillStopped', retriable: false })
  const failed = patiently(
    () => Promise.reject(stopped),
    async () => {},
  )
  await assert.rejects(failed, { message: 'the command was told to end' })
})
