import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from '../../src/support/process-identity.ts'
import { jvmOf, keptPlace, listTopics, untilEnded } from '../helpers/kept-place.ts'

const IDLE_MS = 200

test('ten runs that start at once share one private broker, which ends after the last of them', async t => {
  const place = keptPlace(t, IDLE_MS)
  const brokers = await Promise.all(Array.from({ length: 10 }, () => place.open()))
  assert.equal(new Set(brokers.map(({ address }) => address)).size, 1)
  const keeper = await place.keeper()
  assert.equal(statSync(place.folder).mode & 0o777, 0o700)
  assert.equal(statSync(brokers[0]!.clientConfig!).mode & 0o777, 0o600)
  const jvm = jvmOf(keeper)
  for (const broker of brokers.slice(1)) await broker.close()
  await delay(2 * IDLE_MS)
  await listTopics(brokers[0]!)
  await brokers[0]!.close()
  await untilEnded(keeper)
  assert.equal(isAlive(jvm), false)
  assert.deepEqual(await readdir(dirname(place.folder)), [], 'nothing stays')
})

test('a folder that others may enter is not used', async t => {
  const place = keptPlace(t, 60_000)
  mkdirSync(place.folder)
  chmodSync(place.folder, 0o755)
  assert.equal(await place.tryOpen(), 'other users may enter it')
})

test('a folder of another user is not used', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async t => {
  const place = keptPlace(t, 60_000)
  mkdirSync(place.folder, { mode: 0o700 })
  chownSync(place.folder, 12_345, 12_345)
  assert.equal(await place.tryOpen(), 'it belongs to another user')
})
