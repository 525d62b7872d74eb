import { GenericError, MultipleErrors, ProtocolError } from '@platformatic/kafka'

/** What the client says of a missing topic has a text and no code. */
const UNKNOWN_TOPIC = { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true }

/** The error of a request, with the `type` and `retriable` that src/kafka looks at. */
export function explained(error: unknown): Error {
  if (/^Unknown topic /.test((error as Error).message)) return Object.assign(error as Error, UNKNOWN_TOPIC)
  const said = protocolError(error)
  return Object.assign(error as Error, said && { type: said.apiId, retriable: said.canRetry })
}

/** The same for the `catch` of a promise. */
export function rethrown(error: unknown): never {
  throw explained(error)
}

/** What the broker said about one partition. */
export function brokerError(code: number): Error {
  return explained(new ProtocolError(code))
}

/** The client wraps what the broker said, once for each layer and retry. */
function protocolError(error: unknown): ProtocolError | undefined {
  if (error instanceof ProtocolError) return error
  const within = error instanceof MultipleErrors ? error.errors : error instanceof GenericError ? [error.cause] : []
  return within.map(protocolError).find(found => found !== undefined)
}
