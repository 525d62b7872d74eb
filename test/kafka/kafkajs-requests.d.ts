// The encoders of KafkaJS 2.2.4, which our bytes are compared with.
declare module 'kafkajs/src/protocol/request.js' {
  export default function encodeFrame(call: {
    correlationId: number
    clientId: string
    request: { encode: () => Promise<unknown> }
  }): Promise<{ buffer: Buffer }>
}

declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  const definition: {
    protocol(options: { version: number }): (call: {
      acks: number
      timeout: number
      compression: number
      topicData: readonly {
        topic: string
        partitions: readonly { partition: number; messages: readonly { key: string; value: Buffer }[] }[]
      }[]
    }) => { request: { encode: () => Promise<{ buffer: Buffer }> } }
  }
  export default definition
}

declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  const definition: {
    protocol(options: { version: number }): (call: {
      maxWaitTime: number
      minBytes: number
      maxBytes: number
      isolationLevel: number
      rackId: string
      topics: {
        topic: string
        partitions: { partition: number; fetchOffset: string; maxBytes: number }[]
      }[]
    }) => { request: { encode: () => Promise<{ buffer: Buffer }> } }
  }
  export default definition
}
