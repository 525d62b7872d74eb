/** `npm run test:compat`: every command on the cluster of your choice, with its client properties. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everyCommand } from '../helpers/every-command.ts'

test('on the cluster of ROWMILL_TEST_CONFIG every command works, with the bytes of pandas', async t => {
  const config = process.env['ROWMILL_TEST_CONFIG']
  assert.ok(config, 'name the properties file of a Kafka client: ROWMILL_TEST_CONFIG=client.properties')
  await everyCommand(t, config)
})
