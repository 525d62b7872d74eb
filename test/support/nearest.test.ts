import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearest } from '../../src/support/nearest.ts'

test('the edit distance counts insertions, deletions, replacements and swaps', () => {
  assert.deepEqual(
    [
      editDistance('', ''),
      editDistance('', 'abc'),
      editDistance('brokrs', 'brokers'),
      editDistance('kitten', 'sitting'),
      editDistance('--jbo', '--job'),
      editDistance('lits', 'list'),
    ],
    [0, 3, 1, 3, 1, 1],
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
  assert.equal(nearest('--foo', ['--job']), null)
  assert.equal(nearest('QUITE', ['QUIET', 'OUTPUT']), 'QUIET')
  assert.equal(nearest('rn', ['run', 'tail']), 'run')
})
