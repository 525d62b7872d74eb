import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sameCommand } from '../../src/cli/resume-command.ts'

test('a command to resume leaves out the time-out that ended it', () => {
  const words = ['collect', 'out.csv', '--timeout', '5', '--job', 'j']
  assert.deepEqual(sameCommand(words), ['rowmill', 'collect', 'out.csv', '--job', 'j'])
  assert.deepEqual(sameCommand(['run', '--timeout=5', 'in', 'out', '--timeout', '9']), ['rowmill', 'run', 'in', 'out'])
  assert.deepEqual(sameCommand(['run', '--', '--timeout', 'out']), ['rowmill', 'run', '--', '--timeout', 'out'])
})
