import type { Socket } from 'node:net'
import type Cluster from 'kafkajs/src/cluster/index.js'
import type { Broker } from 'kafkajs/src/cluster/index.js'
import { RowmillError } from '../errors.ts'
import { hangUp } from './connection.ts'
import {
  type AllowedOperations,
  controllerClock,
  type DescribedCluster,
  describeCluster,
  describeGroupOperations,
} from './describe-requests.ts'
import { answered } from './errors.ts'

/** The requests that rowmill needs, and the versions of each that it speaks. */
const NEEDED_APIS = [
  ['Produce', 0, 3, 7],
  ['Fetch', 1, 4, 11],
  ['ListOffsets', 2, 1, 3],
  ['Metadata', 3, 4, 6],
  ['OffsetCommit', 8, 2, 5],
  ['OffsetFetch', 9, 1, 4],
  ['FindCoordinator', 10, 0, 2],
  ['JoinGroup', 11, 0, 5],
  ['Heartbeat', 12, 0, 3],
  ['LeaveGroup', 13, 0, 3],
  ['SyncGroup', 14, 0, 3],
  ['DescribeGroups', 15, 0, 2],
  ['CreateTopics', 19, 0, 3],
  ['DescribeConfigs', 32, 0, 2],
] as const

/** A request that rowmill needs, with the versions on both sides: `4-11`. */
export interface NeededApi {
  readonly name: string
  readonly ours: string
  /** Null: the broker does not know the request at all. */
  readonly theirs: string | null
  /** Whether both sides have a version in common. */
  readonly fits: boolean
}

/** A connection to one broker, to ask what it is and what it allows. It never retries, and writes nothing. */
export class ClusterProbe {
  readonly #cluster: Cluster
  readonly #sockets: ReadonlySet<Socket>
  readonly #broker: Broker

  private constructor(cluster: Cluster, sockets: ReadonlySet<Socket>, broker: Broker) {
    this.#cluster = cluster
    this.#sockets = sockets
    this.#broker = broker
  }

  /** Connects to the first broker of a cluster and logs in. */
  static async connect(cluster: Cluster, sockets: ReadonlySet<Socket>): Promise<ClusterProbe> {
    try {
      await cluster.brokerPool.createSeedBroker()
      const broker = cluster.brokerPool.seedBroker
      await broker.connect()
      return new ClusterProbe(cluster, sockets, broker)
    } catch (error) {
      await hangUp(cluster, sockets)
      throw error
    }
  }

  /** How long the login lasts, in ms. 0: as long as the connection. */
  get sessionMs(): number {
    return Math.max(...this.#broker.connectionPool.pool.map(({ sessionLifetime }) => Number(sessionLifetime)))
  }

  get neededApis(): NeededApi[] {
    return neededApis(this.#broker.versions)
  }

  describe(topics: readonly string[]): Promise<DescribedCluster> {
    return understood(() => describeCluster(this.#broker, topics))
  }

  /** What this user may do with a group. Throws the broker's error: NOT_COORDINATOR if another broker coordinates it. */
  groupOperations(group: string): Promise<AllowedOperations> {
    return understood(() => describeGroupOperations(this.#broker, group))
  }

  /** The clock of the active controller, in ms since 1970. Throws the broker's error. */
  controllerClock(): Promise<number> {
    return understood(() => controllerClock(this.#broker))
  }

  close(): Promise<void> {
    return hangUp(this.#cluster, this.#sockets)
  }
}

/** Returns the answer. Throws the broker's error, or BROKER_UNREACHABLE if we cannot read the answer. */
async function understood<A>(request: () => Promise<A>): Promise<A> {
  try {
    return await answered(request)
  } catch (cause) {
    if (cause instanceof RowmillError || typeof (cause as { type?: unknown }).type === 'string') throw cause
    const message = `the answer cannot be read: ${(cause as Error).message}. Is this a Kafka broker?`
    throw new RowmillError('BROKER_UNREACHABLE', message, {}, { cause })
  }
}

/** The requests that rowmill needs, at a broker with these versions. */
export function neededApis(versions: Broker['versions']): NeededApi[] {
  return NEEDED_APIS.map(([name, key, oldest, newest]) => {
    const range = versions[key]
    const fits = range !== undefined && range.minVersion <= newest && range.maxVersion >= oldest
    const theirs = range ? `${range.minVersion}-${range.maxVersion}` : null
    return { name, ours: `${oldest}-${newest}`, theirs, fits }
  })
}
