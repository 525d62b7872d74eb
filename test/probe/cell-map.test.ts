import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CellMap } from '../../src/probe/cell-map.ts'

test('a map of cells finds what a map of texts finds, and nothing else', () => {
  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\0'), maxLength: 9 }),
    fc.nat(700).map(n => `cell ${n}`),
  )
  fc.assert(
    fc.property(fc.array(cell, { maxLength: 900 }), cells => {
      const [map, texts] = [new CellMap<number>(), new Map<string, number>()]
      for (const [at, text] of cells.entries()) {
        const bytes = Buffer.from(`<${text}>`)
        const end = bytes.length - 1
        assert.equal(map.get(bytes, 1, end), texts.get(text))
        if (texts.has(text)) continue
        map.add(bytes, 1, end, at)
        texts.set(text, at)
        bytes.fill(0) // the map keeps a copy
      }
      assert.deepEqual([map.size, map.values()], [texts.size, [...texts.values()]])
    }),
    { numRuns: 200 },
  )
})
