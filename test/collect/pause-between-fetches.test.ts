import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseBetweenFetches } from '../../src/collect/pause-between-fetches.ts'

test('a collector pauses for a tenth of the time that is left, 200 ms at most', () => {
  const classified = 1000
  const ms = 1000
  const pauses = [100_000, 2000, 1000, 10, 0].map(left => pauseBetweenFetches({ bytes: 10_000, classified, left, ms }))
  assert.deepEqual(pauses, [200, 200, 100, 1, 0])
})

test('a collector does not pause before the first rows, or if nobody knows how many are left', () => {
  assert.equal(pauseBetweenFetches({ bytes: 10_000, classified: 0, left: 1000, ms: 1000 }), 0)
  assert.equal(pauseBetweenFetches({ bytes: 10_000, classified: 1000, left: null, ms: 1000 }), 0)
})

test('a collector does not pause after an empty answer, which has waited, or a large one', () => {
  const rest = { classified: 1000, left: 1000, ms: 1000 }
  assert.equal(pauseBetweenFetches({ bytes: 0, ...rest }), 0)
  assert.equal(pauseBetweenFetches({ bytes: 200_000, ...rest }), 0)
})
