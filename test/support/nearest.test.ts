import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearest } from '../../src/support/nearest.ts'

test('the edit distance counts insertions, deletions and replacements', () => {
  assert.deepEqual(
    [
      editDistance('', ''),
      editDistance('', 'abc'),
      editDistance('brokrs', 'brokers'),
      editDistance('kitten', 'sitting'),
    ],
    [0, 3, 1, 3],
  )
})

test('the nearest candidate is the one with the fewest edits, and none where all are far', () => {
  assert.equal(nearest('--brokrs', ['--broker-timeout', '--brokers', '--job']), '--brokers')
  assert.equal(nearest('--jbo', ['--brokers', '--job']), '--job')
  assert.equal(nearest('--cast', ['--brokers', '--job', '--timeout']), null)
})

test('more than a third of the letters is too far, also in a short word', () => {
  assert.equal(nearest('FOO', ['JOB', 'PORT']), null)
  assert.equal(nearest('JOT', ['JOB']), 'JOB')
  assert.equal(nearest('QUITE', ['QUIET', 'OUTPUT']), null)
})
