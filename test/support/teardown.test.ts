import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Teardown } from '../../src/support/teardown.ts'

test('teardown closes in reverse order, and each once', async () => {
  const closed: string[] = []
  const teardown = new Teardown()
  for (const name of ['broker', 'reader', 'job']) teardown.add(async () => closed.push(name))
  await teardown.close()
  await teardown.close()
  assert.deepEqual(closed, ['job', 'reader', 'broker'])
})

test('a failure to close keeps nothing else open, and the first error is thrown', async () => {
  let closed = false
  const teardown = new Teardown()
  teardown.add(async () => {
    closed = true
  })
  teardown.add(() => Promise.reject(new Error('reader')))
  teardown.add(() => Promise.reject(new Error('job')))
  await assert.rejects(teardown.close(), /^Error: job$/)
  assert.ok(closed)
})
