import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Rows } from '../../src/model.ts'
import { decode, decodeValues, encodeEndOfInput, encodeRows } from '../../src/wire/codec.ts'
import { decodeHead } from '../../src/wire/rows-head.ts'

const long = fc.nat({ max: 2 ** 40 })
const anyRows: fc.Arbitrary<Rows> = fc
  .record({
    job: fc.string({ maxLength: 100, unit: 'grapheme' }),
    epoch: long,
    from: long,
    seq: fc.option(long),
    line: fc.option(long),
    rows: fc.array(fc.array(fc.string({ unit: 'grapheme', maxLength: 70 }), { maxLength: 5 }), { maxLength: 90 }),
    steps: fc.boolean(),
  })
  .map(({ steps, ...value }) => ({
    ...value,
    count: value.rows.length,
    lineSteps: steps ? value.rows.map((_, i) => i * 50) : null,
  }))

test('the head of any rows message is the message without its values, which can be read later', () => {
  fc.assert(
    fc.property(anyRows, value => {
      const bytes = encodeRows(value)
      const { rows, ...head } = value
      assert.deepEqual(decodeHead(bytes), { kind: 'rows', value: head })
      assert.deepEqual(decodeValues(bytes), rows)
    }),
  )
})

test('altered bytes are accepted or refused as by a full read, in the same words', () => {
  const judge = (read: () => unknown) => {
    try {
      read()
      return 'taken'
    } catch (error) {
      return (error as Error).message
    }
  }
  let refused = 0
  fc.assert(
    fc.property(anyRows, fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 3 }), (value, at, byte, cut) => {
      const bytes = Buffer.from(encodeRows(value))
      bytes[at % bytes.length] = byte
      const altered = bytes.subarray(0, bytes.length - cut)
      const whole = judge(() => decode(altered))
      if (whole !== 'taken') refused++
      assert.equal(
        judge(() => decodeHead(altered)),
        whole,
      )
    }),
    { numRuns: 2000 },
  )
  assert.ok(refused > 200, `${refused} were refused`)
})

test('any other record is read completely', () => {
  const value = { job: 'j', epoch: 0, from: 0, attempt: 0, partition: 1, rows: 2, total: 3 }
  assert.deepEqual(decodeHead(encodeEndOfInput(value)), { kind: 'end', value })
  assert.throws(() => decodeHead(null), /empty/)
})
