/** A request is on its way to a broker, and what it is for moves to those that have answered already. */
import { topicsOf } from '../../src/topics.ts'
import type { Cluster } from '../helpers/cluster.ts'
import type { Command, Fire } from './fire.ts'
import { published } from './requests.ts'

/**
 * Publishes, and keeps the first request for rows back that goes to broker 2. When brokers 1 and 3 have answered theirs,
 * everything that 2 leads is given to them; only then is 2 asked, and is not the one to ask any more.
 */
export async function publishWhileLeadersMove(fire: Fire, cluster: Cluster, publish: () => Command): Promise<Command> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const kept = cluster.proxy(2).keepBack(published('rows'), released)
  const answered = ([1, 3] as const).map(id => cluster.proxy(id).answer(published('rows')))
  const command = publish()
  await Promise.all([kept, ...answered])
  await cluster.moveLeaders(topicsOf(fire.pipeline).rows, 2)
  release()
  return command
}
