/**
 * Lets a request of ours write its whole frame into one buffer. KafkaJS encodes a body, copies it behind the header, and copies
 * both behind the length, each time into a larger buffer of zeros. Import this before KafkaJS, which takes the function when
 * it is loaded.
 */
import { createRequire } from 'node:module'

/** What the header of a request says about us. */
export interface RequestHead {
  readonly correlationId: number
  readonly clientId: string
}

interface FrameCall extends RequestHead {
  /** `frame` returns length, header and body. A request without it is encoded by KafkaJS. */
  readonly request: { readonly frame?: (head: RequestHead) => Promise<Buffer> }
}

const PATH = 'kafkajs/src/protocol/request.js'
const require = createRequire(import.meta.url)

const encode = require(PATH) as (call: FrameCall) => Promise<{ readonly buffer: Buffer }>
require.cache[require.resolve(PATH)]!.exports = async (call: FrameCall) =>
  call.request.frame ? { buffer: await call.request.frame(call) } : await encode(call)
