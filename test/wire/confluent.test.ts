import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../../src/model.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { SUBJECTS, wireFormat } from '../../src/wire/confluent.ts'
import { schemaOf } from '../../src/wire/formats.ts'
import type { WireKind, WireRecord } from '../../src/wire/record.ts'
import { decodeHead } from '../../src/wire/rows-head.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const IDS = { job: 7, rows: 1, end: 300, result: 0x01020304, resultWithOutputs: 12, reject: 0xfffffffe }
const { write, read } = wireFormat(IDS)

const run = { job: 'j', epoch: 0, from: 0 }
const RESULT: Result = {
  ...{ ...run, attempt: 0, first: 0, count: 1, offset: 0, classifier: new Uint8Array(8), by: 'w' },
  ...{ columns: ['ID'], kinds: ['text'], rejected: [], outputs: null, rows: [['ä']] },
}
const RECORDS: readonly WireRecord[] = [
  { kind: 'job', value: jobRecord() },
  { kind: 'rows', value: { ...run, seq: 0, count: 1, line: 2, lineSteps: null, rows: [['ä']] } },
  { kind: 'end', value: { ...run, attempt: 0, partition: 0, rows: 1, total: 1 } },
  { kind: 'result', value: RESULT },
  {
    kind: 'reject',
    value: {
      ...{ job: null, epoch: null, attempt: null, seq: null, topic: 't', partition: 0, offset: 0, index: 0 },
      ...{ line: null, reason: 'MALFORMED', detail: '', values: null, raw: null, by: 'w' },
    },
  },
]

for (const record of RECORDS) {
  test(`a ${record.kind} message has 00, its id and the same body in Kafka, and survives the round trip`, () => {
    const bytes = encode(record)
    const before = Buffer.from(bytes)
    const written = write(bytes)
    assert.equal(written[0], 0)
    assert.equal(written.readUInt32BE(1), IDS[record.kind])
    assert.deepEqual(written.subarray(5), bytes.subarray(10))
    assert.deepEqual(read(written), bytes)
    assert.deepEqual(decode(read(written)), record)
    assert.deepEqual(bytes, before, 'a message that is sent again is sent with the same bytes')
  })

  test(`a ${record.kind} message in single-object encoding is accepted too`, () => {
    assert.deepEqual(decode(read(encode(record))), record)
  })

  test(`without the registry a ${record.kind} message is refused by id, with what to do`, () => {
    const message = write(encode(record))
    const refusal = {
      code: 'ROW_MALFORMED',
      message: new RegExp(`schema id ${IDS[record.kind]} .*--schema-registry URL`),
    }
    for (const decoder of [decode, decodeHead]) assert.throws(() => decoder(message), refusal)
  })
}

test('a result with outputs has an id of its own, or stays as it is where the registry has none', () => {
  const bytes = encode({ kind: 'result', value: { ...RESULT, outputs: [1, 0], count: 2 } })
  assert.equal(write(bytes).readUInt32BE(1), 12)
  assert.deepEqual(read(write(bytes)), bytes)
  assert.deepEqual(wireFormat({ ...IDS, resultWithOutputs: null }).write(bytes), bytes)
})

test('an id of another registry is refused, even with the registry', () => {
  const message = wireFormat({ ...IDS, rows: 2 }).write(encode(RECORDS[1]!))
  assert.throws(() => decode(read(message)), { code: 'ROW_MALFORMED', message: /schema id 2 .* not known here/ })
})

test('a message without a known header passes unchanged', () => {
  for (const hex of ['', '00', '00000000', 'c301', 'c30100000000000000', '7b7d', '0000000009aa']) {
    const value = Buffer.from(hex, 'hex')
    assert.deepEqual([write(value), read(value)], [value, value])
    assert.throws(() => decode(read(value)), { code: 'ROW_MALFORMED' })
  }
})

test('the subject of a schema is its full name', () => {
  for (const kind of Object.keys(SUBJECTS) as WireKind[]) {
    const { namespace, name } = schemaOf(kind)
    assert.equal(SUBJECTS[kind], `${namespace}.${name}`)
  }
})
