import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkName, isName } from '../../src/core/names.ts'

const NAMES = ['a', '7', 'nightly', 'a.b_c-D', 'x'.repeat(100)]
const OTHERS = ['', '.a', '-a', '_a', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(101)]

test('a name has 1 to 100 letters, digits, dots, _ and -, with a letter or digit first', () => {
  for (const name of NAMES) assert.equal(isName(name), true, name)
  for (const name of OTHERS) assert.equal(isName(name), false, JSON.stringify(name))
})

test('another text is a USAGE error that shows it', () => {
  checkName('--job', 'nightly')
  assert.throws(() => checkName('--job', 'a b'), { code: 'USAGE', message: /^--job "a b": / })
})
