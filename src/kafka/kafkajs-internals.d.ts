// The parts of KafkaJS 2.2.4 below its public consumer (facts in docs/decisions.md, "Why not the KafkaJS consumer").
declare module 'kafkajs/src/cluster/index.js' {
  import type { ConnectionOptions } from 'node:tls'
  import type { ISocketFactory, Logger, Mechanism, RetryOptions, SASLOptions } from 'kafkajs'

  export interface ProtocolRequest {
    readonly apiVersion: number
  }
  export interface Broker {
    nodeId: string
    /** By the key of the request. */
    versions: Record<number, { minVersion: number; maxVersion: number }>
    connect(): Promise<void>
    connectionPool: {
      /** 0: of all requests but fetches. 1: of fetches. */
      getConnection(index: 0 | 1): Promise<Pick<Broker['connectionPool'], 'send'>>
      /** sessionLifetime: a Long, in ms. */
      pool: { sessionLifetime: { toString(): string } }[]
      send<A>(call: {
        request: ProtocolRequest & { encode?: () => Promise<unknown> }
        /** In ms. Default: that of the connection. */
        requestTimeout?: number
        response: { decode(answer: Buffer<ArrayBuffer>): Promise<A>; parse(answer: A): Promise<A> }
      }): Promise<A>
    }
    metadata(topics: string[]): Promise<unknown>
    /** A request with its answer, in the version that both sides know best. */
    lookupRequest<G, R>(
      key: number,
      definition: { protocol(options: { version: number }): (given: G) => R },
    ): (given: G) => R
    findGroupCoordinator(request: { groupId: string; coordinatorType: 0 }): Promise<unknown>
    leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
    offsetCommit(request: {
      groupId: string
      memberId: string
      groupGenerationId: number
      topics: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[]
    }): Promise<unknown>
    offsetFetch(request: {
      groupId: string
      topics: { topic: string; partitions: { partition: number }[] }[]
    }): Promise<{
      responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[]
    }>
  }
  export default class Cluster {
    constructor(options: {
      logger: Logger
      socketFactory: ISocketFactory
      brokers: string[]
      ssl?: boolean | ConnectionOptions | undefined
      sasl?: Mechanism | SASLOptions | undefined
      clientId: string
      connectionTimeout: number
      requestTimeout: number
      enforceRequestTimeout: boolean
      metadataMaxAge: number
      retry: RetryOptions
      allowAutoTopicCreation: boolean
      maxInFlightRequests: number | null
      isolationLevel: number
    })
    brokerPool: {
      seedBroker: Broker
      createSeedBroker(): Promise<void>
      findConnectedBroker(): Promise<Broker>
      metadata: { brokers: { nodeId: number; host: string; port: number }[] } | null
    }
    connect(): Promise<void>
    disconnect(): Promise<void>
    removeBroker(address: { host: string; port: number }): void
    refreshMetadata(): Promise<void>
    refreshMetadataIfNecessary(): Promise<void>
    addMultipleTargetTopics(topics: string[]): Promise<void>
    findBroker(id: { nodeId: string }): Promise<Broker>
    findControllerBroker(): Promise<Broker>
    findGroupCoordinator(group: { groupId: string }): Promise<Broker>
    findTopicPartitionMetadata(
      topic: string,
    ): { partitionId: number; leader: number; replicas: number[]; isr: number[] }[]
    findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
    fetchTopicsOffset(
      topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
  }
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type { Logger, PartitionAssigner, RetryOptions } from 'kafkajs'
  import type Cluster from 'kafkajs/src/cluster/index.js'
  export default class ConsumerGroup {
    constructor(options: {
      cluster: Cluster
      groupId: string
      topics: string[]
      topicConfigurations: Record<string, { fromBeginning: boolean }>
      logger: Logger
      instrumentationEmitter: { emit(event: string, payload?: unknown): void }
      assigners: ReturnType<PartitionAssigner>[]
      sessionTimeout: number
      rebalanceTimeout: number
      autoCommit: false
      isolationLevel: number
      retry: RetryOptions
      metadataMaxAge: number
    })
    memberId: string | null
    generationId: number | null
    connect(): Promise<void>
    joinAndSync(): Promise<void>
    heartbeat(options: { interval: number }): Promise<void>
    leave(): Promise<void>
    isLeader(): boolean
    assigned(): { topic: string; partitions: number[] }[]
  }
}

declare module 'kafkajs/src/admin/index.js' {
  import type { Admin, Logger, RetryOptions } from 'kafkajs'
  import type Cluster from 'kafkajs/src/cluster/index.js'
  export default function createAdmin(options: { cluster: Cluster; logger: Logger; retry: RetryOptions }): Admin
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: unknown[]
    throttledUntil: number
    scheduleCheckPendingRequests(): void
    push(request: {
      entry: {
        apiKey: number
        apiName: string
        apiVersion: number
        correlationId: number
        resolve(answer: { payload: Buffer }): void
        reject(error: Error): void
      }
      expectResponse: boolean
      requestTimeout: number | null
      sendRequest(): void
    }): void
    fulfillRequest(answer: { size: number; correlationId: number; payload: Buffer }): void
    maybeThrottle(throttleMs: number): void
  }
}

declare module 'kafkajs/src/network/connection.js' {
  import type { ISocketFactory } from 'kafkajs'
  import type RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

  interface Address {
    readonly host: string
    readonly port: number
  }
  export default class Connection {
    /** As process.hrtime gives it, or null before the login. */
    authenticatedAt: [number, number] | null
    /** A Long, in ms. 0: for ever. */
    sessionLifetime: { toString(): string }
    readonly socket?: import('node:net').Socket
    readonly host: string
    readonly port: number
    /** That of ours, in client.ts. */
    readonly socketFactory: ISocketFactory & { readonly describe: (address: Address, said: string) => string | null }
    readonly sasl: unknown
    readonly clientId: string
    readonly requestQueue: RequestQueue
    /** Not null: the next bytes are for a login, and are no answers. */
    readonly authHandlers: object | null
    processData(data: Buffer): void
    authenticate(): Promise<void>
    failIfNotConnected(): void
    nextCorrelationId(): number
    isConnected(): boolean
    connect(): Promise<boolean>
    isAuthenticated(): boolean
    send(call: { request: { apiKey: number }; requestTimeout?: number | null }): Promise<unknown>
    readonly requestTimeout: number
  }
}

declare module 'kafkajs/src/broker/saslAuthenticator/index.js' {
  import type { ISocketFactory, Mechanism } from 'kafkajs'
  export default class SaslAuthenticator {
    readonly connection: { readonly sasl: Mechanism; readonly socketFactory: ISocketFactory }
    authenticate(): Promise<void>
  }
}

declare module 'kafkajs/src/broker/saslAuthenticator/plain.js' {
  import type { Mechanism } from 'kafkajs'
  export default function plain(login: {
    readonly username: string
    readonly password: string
  }): Mechanism['authenticationProvider']
}

declare module 'kafkajs/src/broker/saslAuthenticator/scram256.js' {
  export { default } from 'kafkajs/src/broker/saslAuthenticator/plain.js'
}

declare module 'kafkajs/src/broker/saslAuthenticator/scram512.js' {
  export { default } from 'kafkajs/src/broker/saslAuthenticator/plain.js'
}

declare module 'kafkajs/src/loggers/index.js' {
  import type { Logger, logCreator } from 'kafkajs'
  export const LEVELS: { NOTHING: number; DEBUG: number }
  export function createLogger(options: { level: number; logCreator: logCreator }): Logger
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer)
    readInt16(): number
    readInt32(): number
    readInt64(): bigint
    readString(): string | null
    readBytes(length: number): Buffer
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    writeInt8(value: number): this
    writeInt32(value: number): this
    writeString(value: string): this
    writeBoolean(value: boolean): this
    writeBufferInternal(bytes: Buffer): void
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  export function createErrorFromCode(code: number): Error & { type: string }
}

declare module 'kafkajs/src/protocol/requests/metadata/index.js' {
  import type { ProtocolRequest } from 'kafkajs/src/cluster/index.js'

  interface Answer {
    readonly topicMetadata: readonly {
      readonly partitionMetadata: readonly { readonly partitionErrorCode: number }[]
    }[]
  }
  const definition: {
    protocol(options: { version: number }): (given: {
      topics: readonly string[]
      allowAutoTopicCreation?: boolean
    }) => {
      request: ProtocolRequest & { encode: () => Promise<unknown> }
      response: { decode(answer: Buffer<ArrayBuffer>): Promise<Answer>; parse(answer: Answer): Promise<Answer> }
    }
  }
  export default definition
}

declare module 'kafkajs/src/protocol/requests/createTopics/v3/response.js' {
  const response: {
    parse(answer: { topicErrors: { topic: string; errorMessage: string | null }[] }): Promise<unknown>
  }
  export default response
}

declare module 'kafkajs/src/consumer/assigners/index.js' {
  import type { PartitionAssigner } from 'kafkajs'

  const assigners: { roundRobin: PartitionAssigner }
  export default assigners
}
