import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unknownVariables } from '../../src/cli/environment.ts'

test('a ROWMILL_ variable that nothing reads is warned of, with the nearest one that something does', () => {
  assert.deepEqual(
    unknownVariables({
      ROWMILL_BROKRS: 'x:1',
      ROWMILL_BOOTSTRAP_SERVER: 'x:1',
      ROWMILL_SOMETHING_ELSE: '1',
      BROKRS: 'x:1',
    }),
    [
      'there is no environment variable ROWMILL_BROKRS: did you mean ROWMILL_BROKERS?',
      'there is no environment variable ROWMILL_BOOTSTRAP_SERVER: did you mean ROWMILL_BROKERS?',
      'there is no environment variable ROWMILL_SOMETHING_ELSE: it has no effect',
    ],
  )
})

test('no warning for a variable of an option, of the broker, of a worker or of the tests', () => {
  const names = ['BATCH_ROWS', 'NO_PROGRESS', 'OUTPUT', 'CACHE', 'KAFKA_IMAGE', 'STARTED_BY', 'CRASH', 'TEST_BROKERS']
  assert.deepEqual(unknownVariables(Object.fromEntries(names.map(name => [`ROWMILL_${name}`, '1']))), [])
})
