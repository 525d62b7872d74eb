import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logFormatAskedFor, unknownVariables, wantsStacks } from '../../src/cli/environment.ts'

test('an unknown ROWMILL_ variable gets a warning with the nearest known one', () => {
  assert.deepEqual(
    unknownVariables({
      ROWMILL_BROKRS: 'x:1',
      ROWMILL_BOOTSTRAP_SERVER: 'x:1',
      ROWMILL_SOMETHING_ELSE: '1',
      ROWMILL_FOO: '1',
      BROKRS: 'x:1',
    }),
    [
      'rowmill reads no variable ROWMILL_BROKRS: did you mean ROWMILL_BROKERS?',
      'rowmill reads no variable ROWMILL_BOOTSTRAP_SERVER: did you mean ROWMILL_BROKERS?',
      'rowmill reads no variable ROWMILL_SOMETHING_ELSE: it has no effect',
      'rowmill reads no variable ROWMILL_FOO: it has no effect',
    ],
  )
})

test('variables of options, the broker, a worker or the tests get no warning', () => {
  const names = ['BATCH_ROWS', 'NO_PROGRESS', 'OUTPUT', 'CACHE', 'KAFKA_IMAGE', 'STARTED_BY', 'CRASH', 'TEST_BROKERS']
  assert.deepEqual(unknownVariables(Object.fromEntries(names.map(name => [`ROWMILL_${name}`, '1']))), [])
})

test('ROWMILL_DEBUG is a switch, and another value is refused by its name', () => {
  const read = (given?: string) => wantsStacks(given === undefined ? {} : { ROWMILL_DEBUG: given })
  assert.deepEqual([undefined, '', '0', 'false', 'no', '1', 'Yes'].map(read), [...Array(5).fill(false), true, true])
  assert.throws(() => read('maybe'), { code: 'USAGE', message: /^ROWMILL_DEBUG "maybe": must be true or false/ })
})

test('the format of the log is known before the command line is read', () => {
  const json = { ROWMILL_LOG_FORMAT: 'json' }
  const asked = (words: string, env = {}) => logFormatAskedFor(words.split(' '), env)
  assert.deepEqual(
    [asked('run a b --log-format json'), asked('run --log-format=json --bogus'), asked('run', json)],
    ['json', 'json', 'json'],
  )
  assert.deepEqual(
    [asked('run'), asked('run --log-format text', json), asked('run -- --log-format json'), asked('run --log-format')],
    ['text', 'text', 'text', 'text'],
  )
})
