import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tokenFetcher } from '../../src/kafka/tokens.ts'
import { testFolder } from '../helpers/cli.ts'

const AWS = { from: 'aws', region: 'eu-west-1', profile: null, role: null } as const

test('AWS_MSK_IAM without its signer says what to install', async () => {
  await assert.rejects(tokenFetcher(AWS)(), {
    code: 'USAGE',
    message: /needs the package aws-msk-iam-sasl-signer-js\. Install it beside rowmill: npm install aws-msk/,
  })
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
