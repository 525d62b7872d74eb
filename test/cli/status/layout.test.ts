import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inColumns, wrapped } from '../../../src/cli/status/layout.ts'

const texts = (lines: readonly { readonly text: string }[]) => lines.map(({ text }) => text)

test('a text is wrapped between words, and a number keeps its unit', () => {
  assert.deepEqual(texts(wrapped('done in 12 min at 850 rows/s', 20)), ['done in 12 min at', '  850 rows/s'])
  assert.deepEqual(texts(wrapped('it is done to 50 % of all', 20)), ['it is done to 50 %', '  of all'])
  assert.deepEqual(texts(wrapped('it is done up to 50 % now', 20)), ['it is done up to', '  50 % now'])
})

test('no line is longer than the width, and no character is lost', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 20, max: 100 }), fc.constantFrom('', '  '), (text, width, indent) => {
      const lines = texts(wrapped(text, width, { indent }))
      assert.ok(lines.every(line => line.length <= width))
      const plain = (all: string) => all.replaceAll(' ', '')
      assert.equal(plain(lines.join('')), plain(texts(inColumns([[text]], 10_000, '')).join('')))
    }),
  )
})

test('cells stand in columns, or where these do not fit, in a text for each row', () => {
  const rows = [
    ['a', '1', ''],
    ['long', '22', ''],
  ]
  assert.deepEqual(texts(inColumns(rows, 80)), ['  a     1', '  long  22'])
  assert.deepEqual(texts(inColumns([['partition 10', '250 rows', '', '5 rows/s']], 30)), [
    '  partition 10: 250 rows,',
    '    5 rows/s',
  ])
  assert.deepEqual(inColumns([], 80), [])
})
