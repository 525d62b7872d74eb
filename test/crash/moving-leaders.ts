/** A request is on its way to a broker, and what it is for moves to those that have answered already. */
import assert from 'node:assert/strict'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import type { Cluster } from '../helpers/cluster.ts'
import type { Command, Fire } from './fire.ts'
import { published } from './requests.ts'

/**
 * Publishes, and keeps the first request for rows back that goes to one of the brokers. When the others have answered
 * theirs, everything that it leads is given to them; only then is it asked, and is not the one to ask any more.
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
