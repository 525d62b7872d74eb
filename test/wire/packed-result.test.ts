import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { Result, Values } from '../../src/model.ts'
import { decode, encodeResult } from '../../src/wire/codec.ts'
import { decodePacked, packedRowsOf } from '../../src/wire/packed-result.ts'
import { unpackRows } from '../../src/wire/packed-rows.ts'
import { anyCharacter } from '../helpers/any-character.ts'

const COLUMNS = ['ID', 'TEXT', 'n']

function resultOf(rows: readonly Values[], more: Partial<Result> = {}): Result {
  return {
    ...{ job: 'job-ü', epoch: 0, from: 0, attempt: 1, first: 7, count: rows.length, offset: 3, by: 'worker' },
    classifier: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]),
    columns: COLUMNS,
    kinds: COLUMNS.map(() => 'text'),
    rejected: [],
    outputs: null,
    rows,
    ...more,
  }
}

const cell = fc.oneof(fc.string({ unit: anyCharacter, maxLength: 100 }), fc.constant('x'.repeat(9000)))
const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 12 })

function packedOf(bytes: Buffer): Result {
  return decodePacked(bytes).value as Result
}

/** What `act` returns or throws, for a comparison. */
function outcome(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return { thrown: (error as Error).message }
  }
}

test('a result that is read as bytes is the one that is read as text', () => {
  fc.assert(
    fc.property(rows, rows => {
      const bytes = encodeResult(resultOf(rows))
      assert.deepEqual({ ...packedOf(bytes) }, { ...(decode(bytes).value as Result) })
    }),
  )
})

test('any part of the rows is the bytes of those rows, in order and again from the start', () => {
  fc.assert(
    fc.property(rows, fc.array(fc.nat(12), { maxLength: 6 }), (rows, cuts) => {
      const result = packedOf(encodeResult(resultOf(rows)))
      const ends = [...cuts.filter(cut => cut < rows.length).sort((a, b) => a - b), rows.length, rows.length]
      const starts = [0, ...ends.slice(0, -2), 0]
      for (const [i, end] of ends.entries()) {
        const [index, count] = [starts[i]!, end - starts[i]!]
        const part = packedRowsOf({ result, index, count, partition: 0, offset: 3, seq: 0 })!
        assert.equal(part.count, count)
        const array = count === 0 ? [0] : [...varint(count), ...part.bytes, 0]
        assert.deepEqual(unpackRows(Buffer.from(array), 0), rows.slice(index, end))
      }
    }),
  )
})

test('positions with other numbers of output rows, and rejects, are cut where their rows are', () => {
  const rejected = [{ index: 1, seq: 8, line: null, reason: 'R', detail: 'd', values: [] }]
  const rows = ['a', 'b', 'c'].map(text => [text, text, text])
  const result = packedOf(encodeResult(resultOf(rows, { count: 4, rejected, outputs: [2, 0, 0, 1] })))
  const part = packedRowsOf({ result, index: 1, count: 3, partition: 0, offset: 3, seq: 8 })!
  assert.deepEqual(unpackRows(Buffer.from([2, ...part.bytes, 0]), 0), [['c', 'c', 'c']])
  assert.deepEqual(result.rejected, rejected)
})

test('a damaged message gives the same error as when it is read as text, or the same result', () => {
  const bytes = encodeResult(
    resultOf(
      [
        ['1', 'ü, "q"', 'x'.repeat(70)],
        ['2', '', '漢'],
      ],
      { outputs: [1, 1] },
    ),
  )
  for (let at = 0; at < bytes.length; at++) {
    for (const byte of [0x00, 0x01, 0x02, 0x05, 0x7f, 0x80, 0xff]) {
      const damaged = Buffer.from(bytes)
      damaged[at] = byte
      for (const each of [damaged, damaged.subarray(0, at), Buffer.concat([damaged, damaged.subarray(0, at)])]) {
        const [now, before] = [outcome(() => ({ ...packedOf(each) })), outcome(() => ({ ...decode(each).value }))]
        assert.deepEqual(now, before, `byte ${at} is ${byte}, of ${each.length}`)
      }
    }
  }
})

test('rows in several blocks, as other writers make them, are read as text', () => {
  const rows = [
    ['1', '2', '3'],
    ['4', '5', '6'],
  ]
  const bytes = encodeResult(resultOf(rows))
  const [first, second] = [bytes.subarray(-17, -9), bytes.subarray(-9, -1)]
  const blocks = [Buffer.from([2]), first, Buffer.from([1, 2 * second.length]), second, Buffer.from([0])]
  const result = packedOf(Buffer.concat([bytes.subarray(0, -18), ...blocks]))
  assert.deepEqual(result.rows, rows)
  assert.equal(packedRowsOf({ result, index: 0, count: 2, partition: 0, offset: 3, seq: 0 }), null)
})

test('a copy of a result has no bytes: it may have other rows', () => {
  const result = { ...packedOf(encodeResult(resultOf([['1', '2', '3']]))) }
  assert.equal(packedRowsOf({ result, index: 0, count: 1, partition: 0, offset: 3, seq: 0 }), null)
})

function varint(n: number): number[] {
  return n < 64 ? [n * 2] : [((n * 2) & 0x7f) | 0x80, n >> 6]
}
