import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterSettings, type KafkaOptions } from '../../src/client-config/kafka-options.ts'

const settings = (given: unknown) => clusterSettings({ brokers: ['a:1'], ...(given as KafkaOptions) })

for (const [given, message] of [
  [{ tls: true }, /it has no tls\. It has brokers, ssl/],
  [{ ssl: { ca: '/path/ca.pem' } }, /ssl\.ca must be \{ file: PATH \} or \{ text: PEM \}/],
  [{ ssl: { Ca: { file: 'a' } } }, /ssl has no Ca\. It has ca/],
  [{ sasl: { mechanism: 'GSSAPI' } }, /sasl\.mechanism must be one of PLAIN/],
  [{ sasl: { mechanism: 'PLAIN', username: 'me' } }, /sasl\.password must be a text/],
  [{ sasl: { mechanism: 'OAUTHBEARER', token: 'canary' } }, /sasl\.token must be/],
  [{ properties: { 'sasl.passwort': 'canary' } }, /Did you mean sasl\.password\?/],
] as const)
  test(`a program gets one line for ${JSON.stringify(given)}`, () => {
    assert.throws(
      () => settings(given),
      error =>
        (error as { code: string }).code === 'USAGE' && message.test(String(error)) && !/canary/.test(String(error)),
    )
  })

test('a mechanism may be in lower case', () => {
  const sasl = { mechanism: 'scram-sha-512', username: 'me', password: 'secret' }
  assert.deepEqual(settings({ sasl }).security?.sasl, { ...sasl, mechanism: 'SCRAM-SHA-512' })
})
