import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Mechanism } from 'kafkajs'
import { describeKafkaError } from '../../src/kafka/index.ts'
import { saslOptions } from '../../src/kafka/sasl.ts'
import { testFolder } from '../helpers/cli.ts'

const silent = () => {}
const logger = { debug: silent, error: silent } as never

/** What a login says if the broker's answer is this error. */
async function loginFails(
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
  error: Error,
  login = { username: 'alice', password: 'secret' },
) {
  const { authenticationProvider } = saslOptions({ mechanism, ...login }) as Mechanism
  const saslAuthenticate = () => Promise.reject(error)
  const attempt = authenticationProvider({ host: 'h', port: 1, logger, saslAuthenticate })
  return describeKafkaError(await attempt.authenticate().catch(thrown => thrown))
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

const refusal = (said: string) => Object.assign(new Error(said), { type: 'SASL_AUTHENTICATION_FAILED' })

test('a refused login says what the author of a properties file probably did not mean, and repeats no password', async () => {
  for (const [login, hint] of [
    [{ password: '"canary"' }, /The password has quotes around it/],
    [{ password: 'canary ' }, /The password begins or ends with a blank/],
    [{ username: "'alice'" }, /The username has quotes around it/],
    [{ username: 'alice # the user' }, /The username has a #, which begins no comment/],
    [{ password: 'can"ary#' }, /\*\*\* is no canary-user\. Are user name/],
  ] as const) {
    const given = { username: 'alice', password: 'canary-1', ...login }
    const { text } = await loginFails('PLAIN', refusal(`${given.password} is no canary-user`), given)
    assert.match(text, hint)
    assert.ok(!text.includes(given.password), text)
    const broken = await loginFails('PLAIN', new Error('Closed connection'), given)
    assert.equal(broken.text, 'Closed connection')
  }
})

test('a broker that repeats the token is quoted without it', async t => {
  const file = join(testFolder(t), 'token')
  writeFileSync(file, 'canary-token')
  const options = saslOptions({ mechanism: 'OAUTHBEARER', token: { from: 'file', file } })
  await options.prepare!()
  const answers = [
    () => Promise.resolve('{"status":"canary-token is invalid"}'),
    () => Promise.reject(refusal('no canary-token')),
  ]
  for (const saslAuthenticate of answers) {
    const login = options.authenticationProvider({
      host: 'h',
      port: 1,
      logger,
      saslAuthenticate: saslAuthenticate as never,
    })
    const { code, text } = describeKafkaError(await login.authenticate().catch(thrown => thrown))
    assert.equal(code, 'AUTHENTICATION_FAILED')
    assert.match(text, /\*\*\*/)
    assert.doesNotMatch(text, /canary/)
  }
})
