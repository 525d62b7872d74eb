import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { crc32c } from '../../src/kafka/checksum.ts'

const require = createRequire(import.meta.url)
const native = require('@node-rs/crc32') as { crc32c(bytes: Uint8Array): number }
const ofKafkaJS = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Uint8Array) => number

test('the checksum is that of KafkaJS', () => {
  for (const length of [0, 1, 7, 64, 1000, 70_000]) {
    const bytes = randomBytes(length)
    assert.equal(crc32c(bytes), ofKafkaJS(bytes))
  }
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283) // the check value of CRC-32C
})

test('the checksum is computed natively where there is a binary', () => {
  assert.equal(crc32c, native.crc32c)
})
