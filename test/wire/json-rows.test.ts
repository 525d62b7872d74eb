import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeValues } from '../../src/wire/codec.ts'
import { decodeJsonRow, isJson, readValues, valuesInOrder } from '../../src/wire/json-rows.ts'
import { unsequencedRow } from '../../src/work/unsequenced-row.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const COLUMNS = ['SKU', 'TEXT']
const bytes = (text: string) => Buffer.from(text)
const inOrder = (values: string, columns = COLUMNS) =>
  valuesInOrder(decodeJsonRow(bytes(`{"job":"j","values":${values}}`)), columns)

test('a message that begins with a curly bracket is JSON', () => {
  assert.ok(isJson(bytes('{')))
  for (const other of [null, bytes(''), bytes(' {'), Buffer.from([0xc3, 0x01])]) assert.ok(!isJson(other))
})

test('values are in the order of the columns, as they were written', () => {
  assert.deepEqual(inOrder('{"TEXT":"red \\u00e4","SKU":"17"}'), { values: ['17', 'red ä'] })
  assert.deepEqual(inOrder('["17","shoe"]'), { values: ['17', 'shoe'] })
  assert.deepEqual(inOrder('[1.50,12345678901234567890]'), { values: ['1.50', '12345678901234567890'] })
  assert.deepEqual(inOrder('[-0, 1e3]'), { values: ['-0', '1e3'] })
  assert.deepEqual(inOrder('[true,false]'), { values: ['true', 'false'] })
  assert.deepEqual(inOrder('{"SKU":null,"TEXT":""}'), { values: ['', ''] })
  assert.deepEqual(inOrder('{"__proto__":"x","constructor":"y"}', ['constructor', '__proto__']), { values: ['y', 'x'] })
  assert.deepEqual(inOrder('["a","b"]', ['A', 'A']), { values: ['a', 'b'] })
})

test('values that do not fit the job are refused by the name of the column', () => {
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

test('JSON that is not a row is refused, and the message says what is wrong', () => {
  for (const [text, message] of [
    ['{"job":"j","values"', /begins as JSON: /],
    ['{"values":{}}', /"job" is not a job id/],
    ['{"job":7,"values":{}}', /"job" is not a job id/],
    ['{"job":"\\ud800","values":{}}', /"job" is not a job id/],
    [`{"job":"${'j'.repeat(101)}","values":{}}`, /"job" is not a job id/],
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

test('a JSON row becomes a rows message; a refused one keeps the original text', () => {
  const job = jobRecord({ columns: COLUMNS, sequenced: false, bounded: false })
  const given = (values: string) => unsequencedRow(job, decodeJsonRow(bytes(`{"job":"j","values":${values}}`)))
  const good = given('{"TEXT":"a","SKU":1}')
  assert.deepEqual([decodeValues(good.bytes), good.refusal], [[['1', 'a']], undefined])
  const bad = given('{"TEXT":"a","NO":[1]}')
  assert.match(bad.refusal!.detail, /column "SKU" is missing/)
  assert.deepEqual(decodeValues(bad.bytes), [['', 'a', 'NO=[1]']])
  assert.deepEqual(decodeValues(given('["a"]').bytes), [['a']])
})

test('a row that is far too long, or not text, is a reject that can be written', () => {
  const job = jobRecord({ columns: COLUMNS, sequenced: false, bounded: false })
  const given = (row: unknown) => unsequencedRow(job, decodeJsonRow(bytes(JSON.stringify(row))))
  const long = 'x'.repeat(500_000)
  const surrogate = given({ job: 'j', values: { '\ud800': 1, SKU: 1, TEXT: '2' } })
  assert.deepEqual(decodeValues(surrogate.bytes), [['1', '2', '\ufffd=1']])
  const many = given({ job: 'j', values: Array.from({ length: 500_000 }, () => 1) })
  assert.match(many.refusal!.detail, /500000 commas/)
  assert.deepEqual(decodeValues(many.bytes), [[]])
  assert.ok(given({ job: 'j', values: { SKU: [long], TEXT: '2', [long]: 1 } }).bytes.length < 10_000)
})

test('a JSON row above 1 MB, or deeply nested, is refused unparsed', () => {
  const text = (length: number) => Buffer.from(JSON.stringify({ job: 'j', values: ['x'.repeat(length)] }))
  assert.equal(decodeJsonRow(text(1024 * 1024 - 25)).job, 'j')
  assert.throws(() => decodeJsonRow(text(1024 * 1024)), /1048601 bytes, and a row in JSON may have 1048576: publish/)
  const deep = Buffer.from(`{"job":"j","values":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`)
  assert.throws(() => decodeJsonRow(deep), /nested 100002 deep/)
})

test('a wide job keeps the text of each number, and a narrow job refuses too many values unread', () => {
  const columns = Array.from({ length: 3000 }, (_, i) => `c${i}`)
  const bytes = Buffer.from(`{"job":"j","values":[${columns.map(() => '1.50').join()}]}`)
  const row = decodeJsonRow(bytes)
  const read = readValues(row, columns.length)
  assert.ok(!('flaw' in read))
  assert.deepEqual(valuesInOrder(read, columns), { values: columns.map(() => '1.50') })
  const refused = readValues(row, 2)
  assert.ok('flaw' in refused)
  assert.match(
    refused.flaw,
    /^the row has 3000 commas between values, the job 2 columns\. It begins with \{"job":"j","val/,
  )
})

test('only the job of a message with very many values is read before the columns are known', t => {
  const parsing = t.mock.method(JSON, 'parse')
  const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
  const bytes = Buffer.from(JSON.stringify({ job: 'orders', values: many }))
  assert.equal(decodeJsonRow(bytes).job, 'orders')
  assert.ok('flaw' in readValues(decodeJsonRow(bytes), 3))
  assert.ok(parsing.mock.calls.every(({ arguments: [text] }) => text.length < 100))
})

test('the job is found anywhere, and a message without one is refused', () => {
  const values = `[${'1,'.repeat(2000)}1]`
  const jobOf = (text: string) => decodeJsonRow(Buffer.from(text)).job
  for (const text of [
    `{"job":"x","values":${values}}`,
    `{"values":${values},"job":"x"}`,
    ` {"values":${values} , "job" : "x" }`.trimStart(),
    `{"job":"y","values":${values},"job":"x"}`,
    `{"values":[{"job":"y"},"job","y",${values}],"job":"x"}`,
    `{"a":"job","b":"y","job":"\\u0078","values":${values}}`,
    `{"a\\"":"\\\\","job":"x","values":${values}}`,
  ])
    assert.equal(jobOf(text), JSON.parse(text).job, text.slice(0, 40))
  for (const text of [
    `{"values":${values}}`,
    `{"values":[{"job":"y"}],"more":${values}}`,
    `{"job":["x"],"values":${values}}`,
    `{"job":"${'x'.repeat(3000)}","values":${values}}`,
    `{"values":${values},"job":"x`,
  ])
    assert.throws(() => jobOf(text), { code: 'ROW_MALFORMED', message: /"job" is not a job id/ }, text.slice(-40))
})

test('a message with very many values that is not JSON is refused with its fault', () => {
  const row = decodeJsonRow(Buffer.from(`{"job":"x","values":[${'1,'.repeat(2000)}]}`))
  const refused = readValues(row, 3000)
  assert.ok('flaw' in refused)
  assert.match(refused.flaw, /it begins as JSON: /)
})

test('commas and brackets inside texts are no values', () => {
  const text = `${','.repeat(5000)}${'['.repeat(5000)}\\"${'{'.repeat(100)}`
  const row = decodeJsonRow(Buffer.from(`{"job":"j","values":["${text}",1.50]}`))
  assert.equal(row.unread, undefined)
  assert.deepEqual(valuesInOrder(row, ['a', 'b']), { values: [JSON.parse(`"${text}"`), '1.50'] })
})

test('the columns of a job are not searched once for each value: 50,000 would block a worker for seconds', () => {
  const search = () => assert.fail('the columns are searched')
  const columns = Object.assign(
    Array.from({ length: 50_000 }, (_, at) => `c${at}`),
    { indexOf: search, includes: search },
  )
  const message = (more = '') => bytes(`{"job":"j","values":{${columns.map(column => `"${column}":1`).join()}${more}}}`)
  const row = unsequencedRow(jobRecord({ id: 'j', columns }), decodeJsonRow(message()))
  assert.equal(row.refusal, undefined)
  const unknown = unsequencedRow(jobRecord({ id: 'j', columns }), decodeJsonRow(message(',"SIZE":1')))
  assert.match(unknown.refusal?.detail ?? '', /no column "SIZE"/)
})
