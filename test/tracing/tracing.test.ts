import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as api from '@opentelemetry/api'
import { Tracing } from '../../src/tracing/tracing.ts'
import { ManualTime } from '../helpers/manual-time.ts'

test('the end waits until the exporter has everything', async () => {
  const time = new ManualTime()
  const flushed = Promise.withResolvers<void>()
  const closing = new Tracing(api, { flush: () => flushed.promise, flushMs: 1000, time }).flush()
  flushed.resolve()
  await closing
})

test('an exporter that hangs holds up the end for as long as it may, and one that fails not at all', async () => {
  const time = new ManualTime()
  const hangs = new Tracing(api, { flush: () => new Promise(() => {}), flushMs: 1000, time }).flush()
  let isClosed = false
  void hangs.then(() => {
    isClosed = true
  })
  await time.pass(999)
  assert.equal(isClosed, false)
  await time.pass(1)
  await hangs
  await new Tracing(api, { flush: () => Promise.reject(new Error('no collector')), flushMs: 1000, time }).flush()
})

test('a job whose work fails throws the same error, where the SDK is disabled too', async () => {
  const tracing = new Tracing(api, { flush: async () => {}, flushMs: 1000, parent: 'nonsense' }).of({
    pipeline: 'p',
    isTemporary: false,
  })
  const error = new Error('its own')
  await assert.rejects(
    tracing.job({ action: 'publish', job: 'j' }, () => Promise.reject(error)),
    error,
  )
  const headers = await tracing.job({ action: 'collect', job: 'j' }, async span => span.headers)
  assert.equal(headers, null)
})
