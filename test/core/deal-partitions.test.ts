import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dealPartitions, dealWithout } from '../../src/core/deal-partitions.ts'

test('neighbours go to different members, and each member has as many as the others, or one more', () => {
  assert.deepEqual(
    [...dealPartitions(['a', 'b', 'c'], 8)],
    [
      ['a', [0, 3, 6]],
      ['b', [1, 4, 7]],
      ['c', [2, 5]],
    ],
  )
  assert.deepEqual(
    [...dealPartitions(['a', 'b'], 1)],
    [
      ['a', [0]],
      ['b', []],
    ],
  )
  assert.equal(dealPartitions([], 4).size, 0)
})

test('what a member had goes to those who have least, first in their lists, and nothing else moves', () => {
  const dealt = dealPartitions(['a', 'b', 'c'], 8)
  assert.deepEqual(
    [...dealWithout(dealt, 'b')],
    [
      ['a', [4, 0, 3, 6]],
      ['c', [1, 7, 2, 5]],
    ],
  )
  assert.equal(dealWithout(dealPartitions(['a'], 4), 'a').size, 0)
})
