import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { registerSchemas } from '../../src/kafka/schema-registry.ts'

test('a registry that repeats our login is quoted without it', async t => {
  const server = createServer(({ headers }, answer) => {
    const message = `no user canary-1 (${headers.authorization})`
    answer.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error_code: 401, message }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close().closeAllConnections())
  const url = `http://me:canary-1@127.0.0.1:${(server.address() as AddressInfo).port}`
  await assert.rejects(registerSchemas(url, { subject: '"string"' }), ({ code, message }) => {
    assert.equal(code, 'REGISTRY_UNREACHABLE')
    assert.match(message, /no user \*\*\* \(Basic \*\*\*\)/)
    return true
  })
})
