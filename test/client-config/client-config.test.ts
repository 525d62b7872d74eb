import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientConfig, unknownProperties } from '../../src/client-config/client-config.ts'
import { ClientProperties } from '../../src/client-config/client-properties.ts'
import { parseProperties } from '../../src/client-config/properties-file.ts'
import { RowmillError } from '../../src/errors.ts'

const given = (text: string) => new ClientProperties(parseProperties(text, 'client.properties'))
const config = (text: string) => clientConfig(given(text))
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const OAUTH = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
/** A reference to a variable, as shells and Java write it. */
const variable = (name: string) => `$${'{'}${name}}`
const onOneLine = (pem: string) => pem.replaceAll('\n', ' ')
const { sasl: login } = config(
  `security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=me\nsasl.password=secret`,
)

test('a properties file is read as Java reads it', () => {
  const text = [
    '\uFEFF# a comment',
    '! another',
    '',
    'bootstrap.servers = a.example:9092,\\',
    '    b.example:9093',
    'client.rack: eu\\u002Dwest',
    'client.id   rowmill one',
    'request.timeout.ms=60000   ',
    'request.timeout.ms=70000',
  ].join('\r\n')
  const { brokers, limits } = config(text)
  assert.deepEqual(brokers, ['a.example:9092', 'b.example:9093'])
  assert.deepEqual(limits, { rack: 'eu-west', clientId: 'rowmill one', requestTimeoutMs: 70_000 })
})

test('the files that the services show give the login they mean', () => {
  const confluent = config(`
    bootstrap.servers=pkc-1.example:9092
    security.protocol=SASL_SSL
    sasl.jaas.config=${PLAIN} required username='KEY' password='SEC/RET+=';
    sasl.mechanism=PLAIN
    client.dns.lookup=use_all_dns_ips
    session.timeout.ms=45000
    acks=all
    schema.registry.url=https://psrc-1.example
    basic.auth.credentials.source=USER_INFO
    basic.auth.user.info=SRKEY:SR:SECRET`)
  assert.deepEqual(confluent.sasl, { mechanism: 'PLAIN', username: 'KEY', password: 'SEC/RET+=' })
  assert.equal(confluent.tls?.checkHostName, true)
  assert.deepEqual(confluent.registry, { url: 'https://psrc-1.example', userinfo: 'SRKEY:SR:SECRET' })
  assert.deepEqual(confluent.limits, { sessionTimeoutMs: 45_000 })

  const eventHubs = config(`
    security.protocol=SASL_SSL
    sasl.mechanism=PLAIN
    sasl.jaas.config=${PLAIN} required username="$ConnectionString" password="Endpoint=sb://n.example/;SharedAccessKey=a+b=";`)
  assert.deepEqual(eventHubs.sasl, {
    mechanism: 'PLAIN',
    username: '$ConnectionString',
    password: 'Endpoint=sb://n.example/;SharedAccessKey=a+b=',
  })

  const msk = config(`
    security.protocol=SASL_SSL
    sasl.mechanism=AWS_MSK_IAM
    sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName="data";
    sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler`)
  const token = { from: 'aws', region: null, profile: 'data', role: null }
  assert.deepEqual(msk.sasl, { mechanism: 'OAUTHBEARER', token })

  const aiven = config('security.protocol=SSL\nssl.ca.location=ca.pem\nssl.certificate.location=c\nssl.key.location=k')
  assert.deepEqual(
    [aiven.sasl, aiven.tls?.ca, aiven.tls?.cert, aiven.tls?.key],
    [null, { file: 'ca.pem' }, { file: 'c' }, { file: 'k' }],
  )

  const redpanda = config(
    'security.protocol=sasl_ssl\nsasl.mechanisms=SCRAM-SHA-256\nsasl.username=me\nsasl.password=p=#!',
  )
  assert.deepEqual(redpanda.sasl, { mechanism: 'SCRAM-SHA-256', username: 'me', password: 'p=#!' })
})

test('both dialects say the same', () => {
  const java = `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=${PLAIN} required username="me" password="secret";`
  const librdkafka = 'security.protocol=sasl_plaintext\nsasl.mechanisms=PLAIN\nsasl.username=me\nsasl.password=secret'
  assert.deepEqual(config(java), config(librdkafka))
  assert.deepEqual(config(java).sasl, login)
  for (const [first, second] of [
    [java, librdkafka],
    [librdkafka, java],
  ] as const) {
    const { sasl } = config(`${first.replaceAll('me', 'you').replaceAll('secret', 'other')}\n${second}`)
    assert.deepEqual(sasl, login, 'the later one wins')
  }
})

test('a token comes from a file, a command or an endpoint', () => {
  const oauth = (more: string) => {
    const { sasl } = config(`security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n${more}`)
    assert.ok(sasl?.mechanism === 'OAUTHBEARER')
    return sasl
  }
  assert.deepEqual(oauth('sasl.oauthbearer.token.endpoint.url=file:///run/my%20token').token, {
    from: 'file',
    file: '/run/my token',
  })
  assert.deepEqual(oauth('rowmill.token.command=vault read -field=token').token, {
    from: 'command',
    command: 'vault read -field=token',
  })
  const endpoint = { from: 'endpoint', url: 'https://id.example/token', clientId: 'me', clientSecret: 's', ca: null }
  const url = 'sasl.oauthbearer.token.endpoint.url=https://id.example/token'
  const jaas = `sasl.jaas.config=${OAUTH} required clientId="me" clientSecret="s" scope="kafka" extension_logicalCluster="lkc-1";`
  assert.deepEqual(oauth(`${url}\n${jaas}`), {
    mechanism: 'OAUTHBEARER',
    token: { ...endpoint, scope: 'kafka' },
    extensions: { logicalCluster: 'lkc-1' },
  })
  const librdkafka = 'sasl.oauthbearer.method=oidc\nsasl.oauthbearer.client.id=me\nsasl.oauthbearer.client.secret=s'
  const extensions = 'sasl.oauthbearer.extensions=logicalCluster=lkc-1,identityPoolId=pool-2'
  assert.deepEqual(oauth(`${url}\n${librdkafka}\n${extensions}`), {
    mechanism: 'OAUTHBEARER',
    token: { ...endpoint, scope: null },
    extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool-2' },
  })
})

test('certificates come from PEM files, PEM on one line, and PKCS#12', () => {
  const tls = (more: string) => config(`security.protocol=SSL\n${more}`).tls!
  assert.deepEqual(tls(`ssl.truststore.type=PEM\nssl.truststore.location=/ca`).ca, { file: '/ca' })
  assert.deepEqual(tls('ssl.truststore.location=/x/ca.crt').ca, { file: '/x/ca.crt' })
  assert.deepEqual(tls(`ssl.truststore.certificates=${onOneLine(PEM)}`).ca, {
    text: PEM,
  })
  assert.deepEqual(tls(`ssl.ca.pem=${PEM.replaceAll('\n', '\\n')}`).ca, { text: PEM })
  const both = tls('ssl.keystore.type=PEM\nssl.keystore.location=/me.pem\nssl.key.password=p')
  assert.deepEqual([both.cert, both.key, both.passphrase], [{ file: '/me.pem' }, { file: '/me.pem' }, 'p'])
  const store = tls('ssl.keystore.location=/me.p12\nssl.keystore.password=p')
  assert.deepEqual([store.keystore, store.passphrase], ['/me.p12', 'p'])
})

test('a host name is checked unless the properties say otherwise', () => {
  const checks = (more: string) => {
    const { checkHostName, checkCertificate } = config(`security.protocol=SSL\n${more}`).tls!
    return [checkHostName, checkCertificate]
  }
  assert.deepEqual(checks(''), [true, true])
  assert.deepEqual(checks('ssl.endpoint.identification.algorithm=https'), [true, true])
  assert.deepEqual(checks('ssl.endpoint.identification.algorithm='), [false, true])
  assert.deepEqual(checks('ssl.endpoint.identification.algorithm=none'), [false, true])
  assert.deepEqual(checks('enable.ssl.certificate.verification=false'), [false, false])
})

test('what cannot be used is refused by file, line and name, and its value is not shown', () => {
  const SECRET = 'Hunter2'
  for (const [text, message] of [
    ['\nsecurity.protocol=TLS', /client\.properties, line 2: security\.protocol: it must be one of PLAINTEXT, SSL/],
    ['security.protocol=SASL_SSL', /line 1: security\.protocol: it also needs sasl\.mechanism/],
    ['security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI', /line 2: sasl\.mechanism: GSSAPI is not supported/],
    [`sasl.username=${SECRET}`, /sasl\.username: it has no effect without security\.protocol/],
    [
      'security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=me',
      /PLAIN needs a password\. .*If they were in ROWMILL_PROPERTY, set it again$/,
    ],
    [
      `security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=x ${SECRET};`,
      /line 3: sasl\.jaas\.config: it must/,
    ],
    ['security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER', /OAUTHBEARER needs a token/],
    [
      'security.protocol=SSL\nssl.truststore.location=/x/trust.jks',
      /only Java reads JKS.*keytool -importkeystore.*trust\.jks/,
    ],
    ['security.protocol=SSL\nssl.truststore.location=/x/t.p12', /openssl pkcs12 -in '\/x\/t\.p12' -nokeys/],
    ['security.protocol=SSL\nssl.keystore.location=/x/me.keystore', /only Java reads JKS/],
    ['security.protocol=SSL\nssl.certificate.location=/x', /there is no key with it/],
    [`security.protocol=SSL\nssl.ca.pem=${SECRET}`, /it must be PEM/],
    ['request.timeout.ms=5s', /request\.timeout\.ms: it must be a whole number/],
    ['bootstrap.servers=a.example', /bootstrap\.servers: must be HOST:PORT/],
    ['compression.type=brotli', /compression\.type: it must be one of none/],
  ] as const) {
    assert.throws(
      () => config(text),
      (error: RowmillError) => {
        assert.ok(error instanceof RowmillError, `${error}`)
        assert.equal(error.code, 'USAGE')
        assert.match(error.message, message)
        assert.doesNotMatch(`${error.message} ${JSON.stringify(error.facts)}`, new RegExp(SECRET))
        return true
      },
      text,
    )
  }
})

test('a config provider of Java is refused, and any other password is not', () => {
  const password = (text: string) => {
    const { sasl } = config(`security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=${text}`)
    return sasl?.mechanism === 'PLAIN' && sasl.password
  }
  for (const text of ['file:/etc/secret:pw', 'env:PW', 'vault:a/b:c'].map(variable))
    assert.throws(() => password(text), /line 4: sasl\.password: a config provider of Java.*ROWMILL_PROPERTY/)
  assert.throws(() => password(`a-${variable('env:PW')}`), /config provider/)
  for (const text of [variable('PW'), `a${variable('b:c')}`, `x${variable('PW')}`, '${', '$' + '{file:'])
    assert.equal(password(text), text)
})

test('a comma at the end of bootstrap.servers is nothing, as in Java', () => {
  assert.deepEqual(config('bootstrap.servers=a:1 , b:2 ,').brokers, ['a:1', 'b:2'])
})

test('a property that no client knows is named, with what was meant', () => {
  const found = unknownProperties(given('sasl.mechanism=PLAIN\nsasl.mechanizm=PLAIN\nacks=all\nmy.own=1'))
  assert.deepEqual(
    found.map(({ message }) => message),
    [
      'client.properties, line 2: no Kafka client has a property sasl.mechanizm. Did you mean sasl.mechanism?',
      'client.properties, line 4: no Kafka client has a property my.own',
    ],
  )
})
