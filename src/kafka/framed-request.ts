/**
 * Requests that write their whole frame into one buffer. KafkaJS encodes a body, copies header and body together, and
 * copies the length and both together, each time into a larger buffer of zeros.
 */
import type Connection from 'kafkajs/src/network/connection.js'
import { freeBytes } from '../support/free-bytes.ts'

/** What the header of a request says about us. */
export interface RequestHead {
  readonly correlationId: number
  readonly clientId: string
}

export interface FramedRequest {
  readonly apiKey: number
  readonly apiName: string
  readonly apiVersion: number
  /** Returns length, header and body. They are freed when they are written: a repetition has a frame of its own. */
  frame(head: RequestHead): Buffer<ArrayBuffer>
}

interface FramedCall {
  readonly request: FramedRequest
  /** In ms. */
  readonly requestTimeout?: number | null
  readonly response: { decode(answer: Buffer): Promise<{ readonly clientSideThrottleTime: number }> }
}

export function isFramed(call: { readonly request: object }): call is FramedCall {
  return 'frame' in call.request
}

/** Does what `send` of KafkaJS's connection does, with a frame of ours. Resolves with the decoded answer. */
export async function sendFrame(
  connection: Connection,
  { request, requestTimeout = null, response }: FramedCall,
): Promise<unknown> {
  if (!connection.isAuthenticated()) await connection.authenticate()
  connection.failIfNotConnected()
  const { apiKey, apiName, apiVersion } = request
  const correlationId = connection.nextCorrelationId()
  const frame = request.frame({ correlationId, clientId: connection.clientId })
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly payload: Buffer }>()
  connection.requestQueue.push({
    entry: { apiKey, apiName, apiVersion, correlationId, resolve, reject },
    expectResponse: true,
    requestTimeout,
    // After an error the system may still read the frame.
    sendRequest: () => connection.socket!.write(frame, error => !error && freeBytes(frame)),
  })
  const answer = await response.decode((await promise).payload)
  connection.requestQueue.maybeThrottle(answer.clientSideThrottleTime)
  return answer
}
