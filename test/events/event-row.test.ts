import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EventRow, RowReader } from '../../src/events/event-row.ts'
import { MAX_MESSAGE_BYTES } from '../../src/wire/codec.ts'

const reader = new RowReader({ id: 'orders', columns: ['SKU', 'TEXT', '__proto__'] })
const read = (row: unknown) => reader.read(row as EventRow)
const named = (sku: unknown, text: unknown = 'shoe') => ({ SKU: sku, TEXT: text, ['__proto__']: 'p' })

test('values become their text, and null an empty one', () => {
  const cases: [unknown, string][] = [
    ['007', '007'],
    ['', ''],
    [null, ''],
    [17, '17'],
    [-0.5, '-0.5'],
    [1e-7, '1e-7'],
    [2 ** 53 - 1, '9007199254740991'],
    [2n ** 64n, '18446744073709551616'],
    [true, 'true'],
    [false, 'false'],
    ['ü €', 'ü €'],
  ]
  for (const [value, text] of cases) {
    assert.deepEqual(read(named(value)), [text, 'shoe', 'p'])
    assert.deepEqual(read([value, 'shoe', 'p']), [text, 'shoe', 'p'])
  }
})

test('names may come in any order', () => {
  assert.deepEqual(read({ ['__proto__']: 1, TEXT: 2, SKU: 3 }), ['3', '2', '1'])
})

for (const [what, row, column, says] of [
  ['a missing column', { SKU: 1, ['__proto__']: 2 }, 'TEXT', /column TEXT: it is missing: give null/],
  ['a column that is only inherited', Object.create(named(1)), 'SKU', /it is missing/],
  ['an unknown column', { ...named(1), COLOUR: 'red' }, 'COLOUR', /column COLOUR: .* no such column: it is SKU, TEXT,/],
  ['too few values', ['1', '2'], '__proto__', /2 values for 3 columns/],
  ['too many values', ['1', '2', '3', '4'], '__proto__', /4 values for 3 columns.*the header is SKU, TEXT, __proto__/],
  ['undefined', named(undefined), 'SKU', /column SKU: undefined is not a text.*give null/],
  ['an array', named(['a']), 'SKU', /column SKU: \[ 'a' \] is not a text.*give its text/],
  ['an object', named(1, { a: 1 }), 'TEXT', /column TEXT: \{ a: 1 \} is not a text/],
  ['a date', named(new Date(0)), 'SKU', /column SKU: 1970-01-01.* is not a text/],
  ['NaN', named(Number.NaN), 'SKU', /column SKU: NaN is not a finite number/],
  ['Infinity', [1, Number.NEGATIVE_INFINITY, 2], 'TEXT', /column TEXT: -Infinity/],
  ['an unsafe integer', named(2 ** 53), 'SKU', /column SKU: 9007199254740992 is larger than .*bigint or a text/],
  ['half a surrogate pair', named(1, 'a\ud800'), 'TEXT', /column TEXT: .* holds half a surrogate pair/],
  ['a row too large', named(1, 'x'.repeat(MAX_MESSAGE_BYTES)), 'TEXT', /column TEXT: the row takes \d+ bytes.*shorten/],
  ['a row too large in UTF-8', named('é'.repeat(MAX_MESSAGE_BYTES / 2)), 'SKU', /column SKU: the row takes/],
] as const) {
  test(`${what} is refused, naming the column`, () => {
    assert.throws(() => read(row), { code: 'ROW_REFUSED', facts: { job: 'orders', column }, message: says })
  })
}

test('a value that is not a row is refused', () => {
  for (const row of [null, undefined, 'text', 17]) assert.throws(() => read(row), { code: 'ROW_REFUSED' })
})

test('a header with a duplicate name takes only arrays', () => {
  const twice = new RowReader({ id: 'j', columns: ['A', 'B', 'A'] })
  assert.deepEqual(twice.read([1, 2, 3]), ['1', '2', '3'])
  assert.throws(() => twice.read({ A: 1, B: 2 }), { code: 'ROW_REFUSED', message: /column A: the header has it twice/ })
})
