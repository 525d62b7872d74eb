import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc64Avro } from '../../src/wire/crc64-avro.ts'
import { fingerprintOf, formats, HEADER_BYTES, type SchemaName, schemaOf } from '../../src/wire/formats.ts'

const names = Object.keys(formats()) as SchemaName[]
const all = names.map(name => ({ ...formats()[name], name }))

test('every kind of record has its own header: c3 01 and the fingerprint of its schema', () => {
  for (const { name, header, type } of all) {
    assert.equal(header.length, HEADER_BYTES)
    assert.equal(header.toString('hex', 0, 2), 'c301')
    assert.deepEqual(header.subarray(2), fingerprintOf(name))
    assert.equal(fingerprintOf(name).readBigUInt64LE(), crc64Avro(Buffer.from(JSON.stringify(type.schema()))))
  }
  assert.equal(new Set(all.map(({ header }) => header.toString('hex'))).size, all.length)
})

test('a caller that changes a fingerprint changes no message', () => {
  fingerprintOf('rows').fill(0)
  assert.notDeepEqual(fingerprintOf('rows'), Buffer.alloc(8))
})

test('rows are the last field of their records, so that they can be written and read in one pass', () => {
  for (const { name, kind, headType } of all) {
    const fields: string[] = schemaOf(name).fields.map(({ name }: { name: string }) => name)
    assert.equal(headType !== null, kind === 'rows' || kind === 'result')
    if (headType) assert.equal(fields.at(-1), 'rows')
  }
})
