import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback } from '../../src/support/loopback.ts'

test('localhost and the addresses of loopback stay on this machine', () => {
  for (const host of ['localhost', '127.0.0.1', '127.8.9.10', '::1', '[::1]', '0:0:0:0:0:0:0:1', '[0::1]'])
    assert.equal(isLoopback(host), true, host)
})

test('a name that only begins like an address of loopback may lead anywhere', () => {
  const others = ['127.evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '127.', '127.0.0.1 ', '']
  for (const host of [...others, '0.0.0.0', '::', '[::]', '1::1', '10.0.0.1', 'rows.example'])
    assert.equal(isLoopback(host), false, host)
})
