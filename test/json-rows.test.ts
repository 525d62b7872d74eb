import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeValues } from '../src/codec.ts'
import { decodeJsonRow, isJson, valuesInOrder } from '../src/json-rows.ts'
import { unsequencedRow } from '../src/unsequenced-row.ts'
import { jobRecord } from './helpers/pipeline.ts'

const COLUMNS = ['SKU', 'TEXT']
const bytes = (text: string) => Buffer.from(text)
const inOrder = (values: string, columns = COLUMNS) =>
  valuesInOrder(decodeJsonRow(bytes(`{"job":"j","values":${values}}`)), columns)

test('a message that begins with a curly bracket is JSON', () => {
  assert.ok(isJson(bytes('{')))
  for (const other of [null, bytes(''), bytes(' {'), Buffer.from([0xc3, 0x01])]) assert.ok(!isJson(other))
})

test('values stand in the order of the columns, as they were written', () => {
  assert.deepEqual(inOrder('{"TEXT":"red \\u00e4","SKU":"17"}'), { values: ['17', 'red ä'] })
  assert.deepEqual(inOrder('["17","shoe"]'), { values: ['17', 'shoe'] })
  assert.deepEqual(inOrder('[1.50,12345678901234567890]'), { values: ['1.50', '12345678901234567890'] })
  assert.deepEqual(inOrder('[-0, 1e3]'), { values: ['-0', '1e3'] })
  assert.deepEqual(inOrder('[true,false]'), { values: ['true', 'false'] })
  assert.deepEqual(inOrder('{"SKU":null,"TEXT":""}'), { values: ['', ''] })
  assert.deepEqual(inOrder('{"__proto__":"x","constructor":"y"}', ['constructor', '__proto__']), { values: ['y', 'x'] })
  assert.deepEqual(inOrder('["a","b"]', ['A', 'A']), { values: ['a', 'b'] })
})

test('values that are none of the job are refused by the name of the column', () => {
  for (const [values, flaw] of [
    ['{"SKU":"1"}', /column "TEXT" is missing/],
    ['{"SKU":"1","TEXT":"a","SIZE":3}', /no column "SIZE"/],
    ['["1"]', /has 1 values, the job 2 columns/],
    ['["1","2","3"]', /has 3 values/],
    ['{"SKU":{"a":1},"TEXT":"a"}', /column "SKU" is an object/],
    ['["1",[2]]', /column "TEXT" is a list/],
    ['["1","\\ud800"]', /column "TEXT" is a text with half a surrogate pair/],
  ] as const) {
    const refused = inOrder(values)
    assert.ok('flaw' in refused, values)
    assert.match(refused.flaw, flaw)
  }
  assert.match((inOrder('{"A":1}', ['A', 'A']) as { flaw: string }).flaw, /two columns "A": give "values" as a list/)
})

test('what is no row in JSON is refused, and the message says what is wrong', () => {
  for (const [text, message] of [
    ['{"job":"j","values"', /begins as JSON: /],
    ['{"values":{}}', /"job" is no id of a job/],
    ['{"job":7,"values":{}}', /"job" is no id of a job/],
    ['{"job":"\\ud800","values":{}}', /"job" is no id of a job/],
    [`{"job":"${'j'.repeat(101)}","values":{}}`, /"job" is no id of a job/],
    ['{"job":"j"}', /"values" are no object/],
    ['{"job":"j","values":7}', /"values" are no object/],
    ['{"job":"j","values":null}', /"values" are no object/],
    ['{"job":"j","values":{},"seq":3}', /"seq" beside/],
    ['{"job":"j","values":{}} {}', /begins as JSON/],
  ] as const) {
    assert.throws(() => decodeJsonRow(bytes(text)), { code: 'ROW_MALFORMED', message })
  }
  assert.throws(() => decodeJsonRow(Buffer.from([0x7b, 0xff])), { code: 'ROW_MALFORMED', message: /not UTF-8/ })
})

test('a row in JSON becomes a rows message; one that is refused keeps what was given', () => {
  const job = jobRecord({ columns: COLUMNS, sequenced: false, bounded: false })
  const given = (values: string) => unsequencedRow(job, decodeJsonRow(bytes(`{"job":"j","values":${values}}`)))
  const good = given('{"TEXT":"a","SKU":1}')
  assert.deepEqual([decodeValues(good.bytes), good.refusal], [[['1', 'a']], undefined])
  const bad = given('{"TEXT":"a","NO":[1]}')
  assert.match(bad.refusal!.detail, /column "SKU" is missing/)
  assert.deepEqual(decodeValues(bad.bytes), [['', 'a', 'NO=[1]']])
  assert.deepEqual(decodeValues(given('["a"]').bytes), [['a']])
})

test('what is far too long, or no text, is a reject that can be written', () => {
  const job = jobRecord({ columns: COLUMNS, sequenced: false, bounded: false })
  const given = (row: unknown) => unsequencedRow(job, decodeJsonRow(bytes(JSON.stringify(row))))
  const long = 'x'.repeat(17_000_000)
  const surrogate = given({ job: 'j', values: { '\ud800': 1, SKU: 1, TEXT: '2' } })
  assert.deepEqual(decodeValues(surrogate.bytes), [['1', '2', '\ufffd=1']])
  const tooLong = given({ job: 'j', values: { SKU: long, TEXT: '2' } })
  assert.match(tooLong.refusal!.detail, /a message holds 16711680/)
  assert.deepEqual(decodeValues(tooLong.bytes), [[long.slice(0, 1000), '2']])
  const many = given({ job: 'j', values: Array.from({ length: 1_100_000 }, () => 1) })
  assert.match(many.refusal!.detail, /1100000 values/)
  assert.equal(decodeValues(many.bytes)[0]!.length, 12)
  assert.ok(given({ job: 'j', values: { SKU: [long], TEXT: '2', [long]: 1 } }).bytes.length < 10_000)
})
