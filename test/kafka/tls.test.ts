import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { clientConfig } from '../../src/client-config/client-config.ts'
import { ClientProperties } from '../../src/client-config/client-properties.ts'
import { parseProperties } from '../../src/client-config/properties-file.ts'
import { checkTls } from '../../src/kafka/tls.ts'
import { Authority, STORE_PASSWORD } from '../helpers/certificates.ts'

test('what TLS cannot use is named by file, line and property, with the cure', t => {
  const authority = new Authority(close => t.after(close))
  const [me, other] = [authority.certify('DNS:me'), authority.certify('DNS:other')]
  const { ca, folder } = authority
  const encrypted = authority.encrypted(me.key)
  const file = (name: string, bytes: string | Buffer) => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }
  mkdirSync(join(folder, 'folder'))
  const jks = file('trust.pem', Buffer.from('feedfeed00000002', 'hex'))
  const identity = (cert: string, key: string, more = '') =>
    `ssl.certificate.location=${cert}\nssl.key.location=${key}\n${more}`
  for (const [text, line, message] of [
    ['ssl.ca.location=/nope.pem', '2: ssl.ca.location', /\/nope\.pem cannot be read.*ENOENT/],
    [`ssl.ca.location=${folder}/folder`, '2: ssl.ca.location', /EISDIR/],
    [`ssl.ca.location=${file('empty.pem', '')}`, '2: ssl.ca.location', /holds no certificate in PEM/],
    [`ssl.ca.location=${me.key}`, '2: ssl.ca.location', /holds no certificate in PEM/],
    [`ssl.ca.location=${jks}`, '2: ssl.ca.location', /is a JKS store.*keytool -importkeystore/],
    [identity(me.cert, ca), '3: ssl.key.location', /holds no private key in PEM/],
    [identity(me.cert, other.key), '3: ssl.key.location', /The key does not belong to the certificate/],
    [identity(me.cert, encrypted), '3: ssl.key.location', /It is encrypted: give its password as ssl\.key\.password/],
    [
      identity(me.cert, encrypted, 'ssl.key.password=canary'),
      '4: ssl.key.password',
      /bad decrypt\. Is ssl\.key\.password right\?/,
    ],
    [`ssl.keystore.location=${me.store}`, '2: ssl.keystore.location', /give its password as ssl\.keystore\.password/],
    [
      `ssl.keystore.location=${me.store}\nssl.keystore.password=canary`,
      '3: ssl.keystore.password',
      /Is ssl\.keystore\.password right\?/,
    ],
    [`ssl.keystore.type=PKCS12\nssl.keystore.location=${ca}`, '3: ssl.keystore.location', /cannot be used/],
    ['ssl.cipher.suites=NOPE', '2: ssl.cipher.suites', /no cipher match\. Give names of OpenSSL/],
    [
      identity(me.cert, me.key).replace(
        /ssl.key.location.*/,
        'ssl.key.pem=-----BEGIN PRIVATE KEY----- abcd -----END PRIVATE KEY-----',
      ),
      '3: ssl.key.pem',
      /the TLS settings cannot be used/,
    ],
  ] as const) {
    const { tls } = clientConfig(
      new ClientProperties(parseProperties(`security.protocol=SSL\n${text}`, 'c.properties')),
    )
    assert.throws(
      () => checkTls(tls!),
      (error: Error) => {
        assert.ok(error.message.startsWith(`c.properties, line ${line}: `), error.message)
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /canary/)
        return true
      },
      text,
    )
  }
  const good = `ssl.keystore.location=${me.store}\nssl.keystore.password=${STORE_PASSWORD}`
  checkTls(clientConfig(new ClientProperties(parseProperties(`security.protocol=SSL\n${good}`, 'f'))).tls!)
})
