import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')

test('a run that fails while it still connects ends with its own error', async t => {
  const folder = testFolder(t)
  const brokers = `127.0.0.1:${await freePort()}`
  const [input, output] = [join(folder, 'nowhere.csv'), join(folder, 'out.csv')]
  const { code, stderr } = await rowmill(['run', input, output, '--classifier', CLASSIFIER, '--brokers', brokers])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /^rowmill: input \S+nowhere\.csv does not exist\..*\[INPUT_NOT_FOUND\]\n$/)
})
