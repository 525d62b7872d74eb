import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maskSecrets, Secrets } from '../../src/support/credentials.ts'

test('user and password of a URL are masked in any text, even if the password has an @ or quotes', () => {
  for (const [text, masked] of [
    ['no Kafka at http://me:pa@ssw"rd@127.0.0.1:9092: refused', 'no Kafka at http://***@127.0.0.1:9092: refused'],
    [
      "rowmill run --brokers 'kafka+ssl://me:pass@h:1,http://b@h:2'",
      "rowmill run --brokers 'kafka+ssl://***@h:1,http://***@h:2'",
    ],
    ['http://token@h/ and HTTPS://a:b@h', 'http://***@h/ and HTTPS://***@h'],
  ])
    assert.equal(maskSecrets(text!), masked)
})

test('secret query parameters are masked in any text, others are not', () => {
  const url = 'http://h/?token=abc&page=2&api_key=d%20e&Client-Secret=f&x-auth=g#password=h'
  const masked = 'http://h/?token=***&page=2&api_key=***&Client-Secret=***&x-auth=***#password=***'
  assert.equal(maskSecrets(`"${url}": must be`), `"${masked}": must be`)
  assert.equal(maskSecrets(masked), masked)
})

test('ordinary text stays as it is', () => {
  for (const text of [
    'job a, rowmill.rows[0]@15: expected row 7, found row 8. Was the topic truncated?',
    'no Kafka broker answers at 127.0.0.1:9092: refused. Write to a@b.example',
    'row 7: https://example.com/@channel?keyword=shoe&author=me, https://example.com',
    'Give ROWMILL_SCHEMA_REGISTRY=https://USER:PASSWORD@HOST',
    '--read-csv {"sep":"@","thousands":":"}: token=1 is no argument',
  ]) {
    assert.equal(maskSecrets(text), text)
    // As an argument, https://HOST/@NAME may be a URL with a slash in its password.
    if (!text.includes('/@')) assert.equal(new Secrets(text.split(' ')).mask(text), text)
  }
})

test('secrets of the command line are masked wherever a text repeats them', () => {
  for (const word of [
    '--schema-registy=http://me:my canary@h:1',
    '-bhttp://me:my canary@h:1',
    'me:my canary@h:1',
    '-bme:my canary@h:1',
    '--brokers=h:1,me:my canary@h:2',
    '{"x": "http://me:my canary@h"}',
    `http://me:"'\\canary'@h`,
    'http://h/?token=my canary',
    'http://me:pa/@ss/canary@h:1',
  ]) {
    const secrets = new Secrets(['run', word])
    const shell = `'${word.replaceAll("'", "'\\''")}'`
    for (const text of [word, JSON.stringify(word), JSON.stringify({ a: JSON.stringify(word) }), shell]) {
      const masked = secrets.mask(`rowmill: ${text} is wrong`)
      assert.ok(!masked.includes('canary'), masked)
      assert.match(masked, /^rowmill: .*\*\*\*.* is wrong$/s)
    }
  }
})

test('masking a text of megabytes takes no time', () => {
  for (const part of ['a', '://', '&key', '&key=', '@', 'a:,', "'"]) {
    const before = process.cpuUsage()
    maskSecrets(part.repeat(1_000_000))
    new Secrets([part.repeat(30_000)]).mask(part.repeat(1_000_000))
    assert.ok(process.cpuUsage(before).user < 5e6, part)
  }
})
