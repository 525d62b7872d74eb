import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cost, type Pair, ratioOf } from '../../bench/transport/pairs.ts'

const cost = (ownCpu: number): Cost => ({ seconds: 1, ownCpu, brokerCpu: 1, diskBytes: 1 })
const pair = (plaintext: number, other: number): Pair => ({
  name: 'zstd',
  plaintext: cost(plaintext),
  other: cost(other),
})

test('a ratio compares the two runs of each pair, so a load that changes between pairs does not count', () => {
  const pairs = [pair(1, 2), pair(10, 20), pair(4, 4)]
  assert.deepEqual(ratioOf(pairs, 'ownCpu'), { median: 2, lowest: 1, highest: 2 })
})
