import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProgressSum } from '../../src/run/progress-sum.ts'
import type { RunProgress } from '../../src/run/run-options.ts'

test('the reports of publisher, workers and collector add up to one', () => {
  const told: RunProgress[] = []
  const progress = new ProgressSum(sum => told.push(sum))
  progress.total(9)
  progress.published(6)
  progress.classified(3)
  progress.classified(2)
  progress.written(3, 1)
  assert.deepEqual(told.at(-1), { total: 9, published: 6, classified: 5, written: 3, rejected: 1 })
  assert.equal(told.length, 5)
})

test('rows that two workers classified count once, and written and rejected rows count as classified', () => {
  let sum: RunProgress | null = null
  const progress = new ProgressSum(now => {
    sum = now
  })
  progress.published(6)
  progress.classified(5)
  progress.classified(5)
  assert.deepEqual(sum, { total: null, published: 6, classified: 6, written: 0, rejected: 0 })
  progress.published(20)
  progress.written(11, 1)
  assert.deepEqual(sum, { total: null, published: 20, classified: 12, written: 11, rejected: 1 })
})
