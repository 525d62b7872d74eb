/** While a request is on its way to a broker, its partitions move to brokers that have already answered. */
import assert from 'node:assert/strict'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import type { Cluster } from '../helpers/cluster.ts'
import type { Command, Fire } from './fire.ts'
import { published } from './requests.ts'

/**
 * Publishes, and holds back the first rows request to one of the brokers. After the others have answered theirs, they
 * become leaders of all its partitions. Only then does the request reach the broker, which is no longer the leader.
 */
export async function publishWhileLeadersMove(fire: Fire, cluster: Cluster, publish: () => Command): Promise<Command> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const [late, ...others] = (await cluster.prepare(fire.pipeline)).reverse()
  assert.ok(late && others.length > 0, 'several brokers lead partitions')
  const kept = cluster.proxy(late).keepBack(published('rows'), released)
  const answered = others.map(id => cluster.proxy(id).answer(published('rows')))
  const command = publish()
  await Promise.all([kept, ...answered])
  await cluster.moveLeaders(topicsOf(fire.pipeline).bulk, late)
  release()
  return command
}
