import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counted, describeSpeed, roundedSpeed } from '../../src/support/counted.ts'

test('one is singular, all other numbers are plural', () => {
  assert.deepEqual(
    [0, 1, 2, 1000].map(count => counted(count, 'row')),
    ['0 rows', '1 row', '2 rows', '1000 rows'],
  )
})

test('a speed has one decimal below 10 and none above', () => {
  assert.deepEqual([0, 2 / 7, 0.96, 9.94, 9.96, 10.4, 90_000.6].map(roundedSpeed), [0, 0.3, 1, 9.9, 10, 10, 90_001])
  assert.deepEqual([0, 2 / 7, 1, 250].map(describeSpeed), ['0 rows/s', '0.3 rows/s', '1 row/s', '250 rows/s'])
})
