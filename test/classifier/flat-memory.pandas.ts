import assert from 'node:assert/strict'
import { test } from 'node:test'
import { python } from './serial.ts'

const FLAT = ['dtype=str', "dtype={'id': int, 'half': float, 'text': str}", "dtype=str, engine='python'"]

test('memory does not grow with the file if the call says the dtype of every column, and does if pandas infers one', async () => {
  const grown = JSON.parse(await python('peak_memory.py', ['', ...FLAT])) as Record<string, number>
  // The larger file has 12 MB more, and its texts alone take 20 MB more.
  assert.ok(grown['']! > 15, `${grown['']} MB`)
  for (const call of FLAT) assert.ok(grown[call]! < 10, `${call}: ${grown[call]} MB more`)
})
