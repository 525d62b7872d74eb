import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions } from '../../src/cli/read-options.ts'
import { RUN_OPTIONS, withoutSecrets } from '../../src/cli/run-options.ts'
import { KNOWN_NAMES } from '../../src/client-config/known-names.ts'

const CANARY = 'canary-1234'

/** Every property of a client whose value is a secret. */
const SECRETS = `
basic.auth.user.info rowmill.token.command sasl.jaas.config sasl.oauthbearer.assertion.private.key.passphrase
sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.secret sasl.oauthbearer.config sasl.password
schema.registry.basic.auth.user.info ssl.key.password ssl.key.pem ssl.keystore.key ssl.keystore.password
ssl.truststore.password`
  .trim()
  .split(/\s+/)

const options = (variable: string) =>
  readOptions(RUN_OPTIONS, {}, { environment: { ROWMILL_PROPERTY: variable }, settings: new Map() })

for (const name of SECRETS)
  test(`${name} is refused on a command line, and run.json does not keep it`, () => {
    assert.ok(KNOWN_NAMES.has(name))
    const given = `${name}=${CANARY}`
    const other = { environment: {}, settings: new Map() }
    assert.throws(
      () => readOptions(RUN_OPTIONS, { property: [given] }, other),
      ({ code, message, facts }) => code === 'USAGE' && !`${message}${JSON.stringify(facts)}`.includes(CANARY),
    )
    assert.doesNotMatch(JSON.stringify(withoutSecrets(options(`client.id=me\n${given}`))), /canary/)
  })

test('run.json keeps any other property, unless it is a URL with a password', () => {
  const kept = (given: string) => withoutSecrets(options(given)).property
  assert.deepEqual(kept('client.id=me'), [{ name: 'client.id', value: 'me', where: 'ROWMILL_PROPERTY, line 1' }])
  for (const name of ['sasl.oauthbearer.token.endpoint.url', 'schema.registry.url']) {
    assert.equal(kept(`${name}=https://id.example/token`).length, 1)
    assert.deepEqual(kept(`${name}=https://me:${CANARY}@id.example/token`), [])
  }
})

test('ROWMILL_PROPERTY is the text of a properties file: comments, colons and joined lines', () => {
  const text = `# sasl.password=${CANARY}\nclient.id: me\n! old\nsasl.username = \\\n  you`
  assert.deepEqual(options(text).property, [
    { name: 'client.id', value: 'me', where: 'ROWMILL_PROPERTY, line 2' },
    { name: 'sasl.username', value: 'you', where: 'ROWMILL_PROPERTY, line 4' },
  ])
})

test('text that is no NAME=VALUE is not shown', () => {
  const other = { environment: {}, settings: new Map() }
  for (const text of [`sasl.password:${CANARY}`, `{"sasl.password": "${CANARY}"}`, `export ${CANARY}`])
    assert.throws(
      () => readOptions(RUN_OPTIONS, { property: [text] }, other),
      ({ code, message, facts }) => code === 'USAGE' && !`${message}${JSON.stringify(facts)}`.includes(CANARY),
    )
})
