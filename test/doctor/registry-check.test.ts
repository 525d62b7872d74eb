import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { SUBJECTS } from '../../src/wire/confluent.ts'
import { expectFinding, findingsOf, machineWith } from '../helpers/doctor.ts'
import { freePort } from '../helpers/free-port.ts'

type Closing = { after(fn: () => void): void }

/** The URL of a server that answers like a registry. */
async function registry(t: Closing, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function found(url: string) {
  return (await findingsOf('registry', { registry: url }))[0]!
}

test('a registry that is down', async () => {
  const { status, text, cure } = await found(`http://127.0.0.1:${await freePort()}`)
  assert.equal(status, 'failure')
  assert.match(text, /does not answer: .*ECONNREFUSED/)
  assert.match(cure!, /start the registry/)
})

test('a registry that refuses the login shows no password, and one that gets it has all subjects', async t => {
  const login = `Basic ${Buffer.from('alice:p@ss').toString('base64')}`
  const url = await registry(t, ({ headers }, answer) => {
    if (headers.authorization !== login) answer.writeHead(401).end('{}')
    else answer.end(JSON.stringify(Object.values(SUBJECTS)))
  })
  const refused = await found(url.replace('://', '://alice:Hunter2@'))
  assert.equal(refused.status, 'failure')
  assert.match(refused.text, /refuses the login \(401\)/)
  assert.match(refused.cure!, /--schema-registry-userinfo-file/)
  assert.doesNotMatch(JSON.stringify(refused), /Hunter2/)
  const accepted = await found(url.replace('://', '://alice:p%40ss@'))
  assert.deepEqual([accepted.status, /all 5 subjects/.test(accepted.text)], ['ok', true], accepted.text)
})

test('a registry without the subjects of rowmill, and a server that is no registry', async t => {
  const empty = await found(await registry(t, (_, answer) => answer.end('["other"]')))
  assert.deepEqual([empty.status, /has no rowmill\.Job/.test(empty.text)], ['warning', true], empty.text)
  const page = await found(await registry(t, (_, answer) => answer.end('<html>')))
  assert.deepEqual([page.status, /no list/.test(page.text)], ['failure', true], page.text)
})

test('the package of the client is not installed', async () => {
  const requireRegistryClient = async () => {
    throw new RowmillError('USAGE', '--schema-registry needs the package P, which is not installed: npm install P')
  }
  const context = { machine: machineWith({ requireRegistryClient }), registry: 'http://127.0.0.1:1' }
  expectFinding(await findingsOf('registry-client', context), [
    'failure',
    /not installed: npm install/,
    /explain USAGE/,
  ])
})
