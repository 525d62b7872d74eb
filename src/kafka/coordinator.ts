import type Cluster from 'kafkajs/src/cluster/index.js'
import { isOfRights } from './rights.ts'

/**
 * The result of a request to the coordinator of a group. If no broker names the coordinator, KafkaJS hides why: then this
 * asks once more, and throws the broker's own error if a right is missing.
 */
export async function atCoordinator<T>(cluster: Cluster, groupId: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (error) {
    if ((error as Error).name !== 'KafkaJSGroupCoordinatorNotFound') throw error
    const broker = await cluster.findControllerBroker()
    const refusal = await broker.findGroupCoordinator({ groupId, coordinatorType: 0 }).catch(refusal => refusal)
    throw isOfRights(refusal) ? refusal : error
  }
}
