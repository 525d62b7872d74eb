import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Mechanism } from 'kafkajs'
import { describeKafkaError } from '../../src/kafka/index.ts'
import { saslOptions } from '../../src/kafka/sasl.ts'

const silent = () => {}
const logger = { debug: silent, error: silent } as never

/** What a login says if the broker's answer is this error. */
async function loginFails(mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512', error: Error) {
  const { authenticationProvider } = saslOptions({ mechanism, username: 'alice', password: 'secret' }) as Mechanism
  const saslAuthenticate = () => Promise.reject(error)
  const login = authenticationProvider({ host: 'h', port: 1, logger, saslAuthenticate })
  return describeKafkaError(await login.authenticate().catch(thrown => thrown))
}

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)
  test(`${mechanism}: a connection that breaks during the login is retried, a refused login is not`, async () => {
    const broken = Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' })
    assert.deepEqual(await loginFails(mechanism, broken), {
      text: 'Closed connection',
      retriable: true,
      type: 'KafkaJSConnectionClosedError',
      code: 'TOPIC_UNUSABLE',
    })
    const refused = Object.assign(new Error('invalid credentials'), { type: 'SASL_AUTHENTICATION_FAILED' })
    const { retriable, code, text } = await loginFails(mechanism, refused)
    assert.deepEqual([retriable, code], [false, 'AUTHENTICATION_FAILED'])
    assert.match(text, /^the broker refuses the login: invalid credentials\. /)
  })
