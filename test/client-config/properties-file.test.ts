import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientConfig, unknownProperties } from '../../src/client-config/client-config.ts'
import { ClientProperties } from '../../src/client-config/client-properties.ts'
import { oddities, parseProperties } from '../../src/client-config/properties-file.ts'

const given = (text: string) => new ClientProperties(parseProperties(text, 'client.properties'))
const config = (text: string) => clientConfig(given(text))
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\nAg==\n-----END CERTIFICATE-----'
/** A reference to a variable, as shells and Java write it. */
const variable = (name: string) => `$${'{'}${name}}`

test('PEM keeps its lines', () => {
  const KEY = PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY')
  for (const text of [
    `ssl.key.pem=${KEY}\nssl.certificate.pem = ${PEM}\n${PEM}`,
    `ssl.certificate.pem=\n${PEM}\n\n${PEM}\nssl.key.pem=${KEY}`,
  ])
    for (const lines of [text, text.replaceAll('\n', '\r\n')]) {
      const all = `${lines}\nsecurity.protocol=SSL\nclient.id=me`
      const { tls, limits } = config(all)
      assert.deepEqual([tls!.key, tls!.cert, limits.clientId], [{ text: KEY }, { text: `${PEM}\n${PEM}` }, 'me'])
      assert.deepEqual(unknownProperties(given(all)), [])
    }
  const { where } = [...given(`a.b=${KEY}\nx.y=1`)].at(-1)!
  assert.equal(where, 'client.properties, line 5')
})

test('a line that is not NAME=VALUE may be the rest of a secret: it is named once, and not shown', () => {
  for (const rest of [
    'MIICanary1\nMIICanary2==',
    'sasl_password_canary',
    'Canary',
    'canary="x',
    'pw-canary',
    '-----canary',
  ]) {
    const found = unknownProperties(given(`sasl.password=a\n${rest}\nclient.id=me`))
    assert.match(found[0]!.message, /^client\.properties, line 2: this is not NAME=VALUE.*backslash$/)
    assert.doesNotMatch(JSON.stringify(found.map(({ message }) => message)), /canary/i)
  }
})

test('what Java refuses, or what is no text, is refused with its line', () => {
  for (const [text, message] of [
    ['a.b=1\nsasl.username=\\u00zzlice', /^client\.properties, line 2: \\u needs four hexadecimal digits/],
    ['client.id=\\u12', /line 1: \\u needs four/],
    ['client.id=me\0', /line 1: there is a NUL/],
    ['sasl.username=J\uFFFDrg', /line 1: it is not UTF-8/],
    [Buffer.from('\uFEFFclient.id=a', 'utf16le').toString(), /^client\.properties is UTF-16\. Save it as UTF-8$/],
    [Buffer.from('client.id=a', 'utf16le').toString(), /is UTF-16/],
  ] as const)
    assert.throws(() => given(text), { code: 'USAGE', message }, text)
  assert.equal(config('client.id=\\\\u12').limits.clientId, '\\u12')
})

test('what is probably a mistake is named with its line, without the value', () => {
  const properties = (text: string) => oddities(parseProperties(text, 'client.properties'))
  assert.deepEqual(properties('sasl.username=me\nclient.id=a\nsasl.username=you\nclient.id=a'), [
    'client.properties, line 3: sasl.username is there twice. This line wins over line 1',
  ])
  assert.deepEqual(properties(`sasl.password=${variable('PW')}`), [
    'client.properties, line 1: sasl.password: rowmill replaces no variables. It takes the value as it is',
  ])
  assert.deepEqual(properties(`sasl.password=a${variable('b')}\nsasl.username=$ConnectionString`), [])
})

test('a value that holds another property, because a backslash joins two lines, is refused and not shown', () => {
  for (const text of [
    'sasl.mechanism=PLAIN\\\nsasl.password=canary',
    'ssl.ca.location=/tmp/ca.pem\\\n  sasl.password: canary',
    'client.id=me\\\nsasl.jaas.config = canary',
  ])
    assert.throws(
      () => config(text),
      ({ code, message }) =>
        code === 'USAGE' &&
        /its value also holds sasl\.(password|jaas\.config)/.test(message) &&
        !/canary/.test(message),
      text,
    )
})

test('a mechanism that is not one is shown only if it can be the name of one', () => {
  assert.throws(() => config('security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI'), /: GSSAPI is not supported/)
  assert.throws(() => config('security.protocol=SASL_SSL\nsasl.mechanism=PLAIN canary'), /: this is not supported/)
})

test('two names of one property, and a second login, are named with their lines', () => {
  const found = (text: string) => oddities(parseProperties(text, 'c.properties'))
  assert.deepEqual(found('sasl.mechanism=PLAIN\nsasl.mechanisms=SCRAM-SHA-512'), [
    'c.properties, line 2: sasl.mechanisms means the same as sasl.mechanism. This line wins over line 1',
  ])
  assert.deepEqual(found('sasl.username=me\nsasl.jaas.config=x'), [
    'c.properties, line 2: sasl.jaas.config means the same as sasl.username. This line wins over line 1',
  ])
  assert.deepEqual(found('sasl.mechanism=PLAIN\nsasl.mechanisms=PLAIN'), [])
  assert.deepEqual(found('sasl.jaas.config=x\nsasl.username=\nsasl.password='), [])
})
