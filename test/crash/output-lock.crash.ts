/** The race for an output whose holder is killed, repeated often enough to find a lock that fails sometimes. */
import { join } from 'node:path'
import { test } from 'node:test'
import { testFolder } from '../helpers/cli.ts'
import { cannotUnshare, killedHolders } from '../helpers/contenders.ts'

test('of four processes that find the lock of a killed one, exactly one gets it, 150 times', async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 150, where: () => 'here' })
})

test('exactly one gets it even if two are in PID, network and host namespaces of their own', {
  skip: cannotUnshare,
}, async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 30, where: place => (place % 2 === 0 ? 'here' : 'in a container') })
})
