/** Who may write an output, tested with processes that come, end and are killed at the same moment. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { testFolder } from '../helpers/cli.ts'
import { ask, cannotUnshare, kill, killedHolders, start } from '../helpers/contenders.ts'

test('of four processes that find the lock of a killed one, exactly one gets it', async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 10, where: () => 'here' })
})

test('exactly one gets it even if two are in PID, network and host namespaces of their own', {
  skip: cannotUnshare,
}, async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 3, where: place => (place % 2 === 0 ? 'here' : 'in a container') })
})

test('four processes that take and release an output 100 times each never hold it at the same time', async t => {
  const path = join(testFolder(t), 'out.csv')
  const contenders = await Promise.all([0, 1, 2, 3].map(() => start(t, path, 'here')))
  const overlaps = await Promise.all(contenders.map(contender => ask(contender, 'race 100')))
  assert.deepEqual(overlaps, [0, 0, 0, 0])
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('a lock held in one namespace is refused in another, and free as soon as its holder is killed', {
  skip: cannotUnshare,
}, async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  const [inside, outside] = await Promise.all([start(t, path, 'in a container'), start(t, path, 'here')])
  assert.equal(await ask(inside, 'take'), 'held')
  assert.equal(await ask(outside, 'take'), 'OUTPUT_LOCKED')
  await kill(inside)
  assert.equal(await ask(outside, 'take'), 'held')
  const other = await start(t, path, 'in a container')
  assert.equal(await ask(other, 'take'), 'OUTPUT_LOCKED')
  assert.equal(await ask(outside, 'release'), 'released')
  assert.deepEqual(readdirSync(folder), [])
  assert.equal(await ask(other, 'take'), 'held')
})
