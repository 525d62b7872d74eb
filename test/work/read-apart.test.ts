import assert from 'node:assert/strict'
import { test } from 'node:test'
import { survivesReading } from '../../src/work/read-apart.ts'

test('a message that can be read, or refused, survives; one that ends its reader does not', async t => {
  const row = (text: string) => Buffer.from(JSON.stringify({ job: 'j', values: [text, 'x'.repeat(2_000_000)] }))
  process.env['ROWMILL_CRASH'] = 'message-taken=deadly'
  t.after(() => delete process.env['ROWMILL_CRASH'])
  const survived = await Promise.all([row('good'), Buffer.from('{"job":'), row('deadly')].map(survivesReading))
  assert.deepEqual(survived, [true, true, false])
})
