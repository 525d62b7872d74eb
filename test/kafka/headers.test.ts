import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeHeaders, findHeaders, headersBytes } from '../../src/kafka/headers.ts'

const WANTED = ['traceparent', 'größe']

test('headers come back by the names that are asked for, and the last of a name counts', () => {
  const written = { a: '1', traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`, größe: '🦆', b: '' }
  const { traceparent, größe } = written
  assert.deepEqual(findHeaders(encodeHeaders(written), WANTED), { traceparent, größe })
  const two = encodeHeaders({ größe: '1', xröße: '2' })
  two[two.indexOf('x')] = 'g'.charCodeAt(0)
  assert.deepEqual(findHeaders(two, WANTED), { größe: '2' })
})

test('a message without a wanted header keeps none', () => {
  assert.equal(findHeaders(encodeHeaders({}), WANTED), null)
  assert.equal(findHeaders(encodeHeaders({ other: 'x' }), WANTED), null)
})

test('a header that is long or null is not kept, and those after it are', () => {
  const long = encodeHeaders({ traceparent: 'x'.repeat(10_000), größe: '1' })
  assert.deepEqual(findHeaders(long, WANTED), { größe: '1' })
  const name = Buffer.from('größe')
  const field = Buffer.concat([Buffer.of(name.length * 2), name])
  const isNull = Buffer.concat([Buffer.of(4), field, Buffer.of(1), field, Buffer.of(2, 0x37)])
  assert.deepEqual(findHeaders(isNull, WANTED), { größe: '7' })
})

test('headers that are cut off or no headers at all end the search without an error', () => {
  const whole = encodeHeaders({ a: 'x'.repeat(200), größe: '1'.repeat(20), traceparent: 'y' })
  for (let end = 0; end < whole.length; end++) {
    const found = findHeaders(whole.subarray(0, end), ['traceparent'])
    assert.equal(found, null, `${end} bytes`)
  }
  for (const byte of [0, 1, 0x7f, 0x80, 0xff]) assert.equal(findHeaders(Buffer.alloc(40, byte), WANTED), null)
})

test('headers take no more room than is kept for them in a request', () => {
  for (const headers of [{}, { a: '' }, { a: 'x'.repeat(70), b: 'y'.repeat(9000), 'größe 🦆': 'z' }])
    assert.ok(encodeHeaders(headers).length <= headersBytes(headers))
})
