import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import type { TokenSource } from '../../src/kafka/security.ts'
import { tokenFetcher } from '../../src/kafka/tokens.ts'
import { testFolder } from '../helpers/cli.ts'

const AWS = { from: 'aws', region: 'eu-west-1', profile: null, role: null } as const

/** A client of a broker that nobody asked yet. */
const client = (token: TokenSource) =>
  new Kafka({
    brokers: ['b.example:9098'],
    clientId: 'test',
    security: { tls: {}, sasl: { mechanism: 'OAUTHBEARER', token } },
  })

test('AWS_MSK_IAM without its signer says what to install, before a broker is asked', () => {
  assert.throws(() => client(AWS), {
    code: 'USAGE',
    message:
      'AWS_MSK_IAM needs the package aws-msk-iam-sasl-signer-js. Install it beside rowmill: npm install aws-msk-iam-sasl-signer-js',
  })
})

test('AWS_MSK_IAM without a region says how to give it, before a broker is asked', async t => {
  await import('../fixtures/aws-signer/install.ts')
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION']) {
    const before = process.env[name]
    delete process.env[name]
    t.after(() => {
      if (before !== undefined) process.env[name] = before
    })
  }
  const message = 'AWS_MSK_IAM needs a region. Give rowmill.aws.region, or set AWS_REGION'
  assert.throws(() => client({ ...AWS, region: null }), { code: 'USAGE', message })
  process.env['AWS_REGION'] = 'eu-west-1'
  client({ ...AWS, region: null })
  delete process.env['AWS_REGION']
})

test('AWS_MSK_IAM signs for each login, with the credentials that the properties name', async t => {
  await import('../fixtures/aws-signer/install.ts')
  const log = join(testFolder(t), 'signed')
  process.env['SIGNER_LOG'] = log
  const fetch = tokenFetcher(AWS)
  const tokens = [await fetch(), await fetch()]
  await Promise.all([fetch(), fetch()]) // connections that open at the same time share one
  await tokenFetcher({ ...AWS, profile: 'data' })()
  await tokenFetcher({ ...AWS, role: 'arn:aws:iam::1:role/kafka' })()
  for (const token of tokens) assert.match(token, /^\S+\.\S+\.$/)
  const region = 'eu-west-1'
  const asked = [
    { region },
    { region },
    { region },
    { region, awsProfileName: 'data' },
    { region, awsRoleArn: 'arn:aws:iam::1:role/kafka' },
  ]
  const signed = readFileSync(log, 'utf8').trimEnd().split('\n')
  assert.deepEqual(
    signed.map(line => JSON.parse(line.slice(line.indexOf(' ')))),
    asked,
  )
})
