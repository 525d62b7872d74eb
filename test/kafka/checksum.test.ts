import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import '../../src/kafka/index.ts'

const require = createRequire(import.meta.url)
const native = require('@node-rs/crc32') as { crc32c(bytes: Uint8Array): number }
const replaced = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Uint8Array) => number
const own = require('kafkajs/src/protocol/recordBatch/crc32C/crc32C.js') as (bytes: Uint8Array) => number

test('the native checksum is that of KafkaJS', () => {
  for (const length of [0, 1, 7, 64, 1000, 70_000]) {
    const bytes = randomBytes(length)
    assert.equal(replaced(bytes), own(bytes) >>> 0)
  }
  assert.equal(replaced(Buffer.from('123456789')), 0xe3069283) // the check value of CRC-32C
})

test('KafkaJS uses it for what it sends', t => {
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js')
  const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')
  const crc32c = t.mock.method(native, 'crc32c')
  RecordBatch({
    records: [Record({ key: 'k', value: Buffer.from('v'), timestamp: 0 })],
    maxTimestamp: 0,
    firstTimestamp: 0,
  })
  assert.equal(crc32c.mock.callCount(), 1)
})
