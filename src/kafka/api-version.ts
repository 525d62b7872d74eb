import type { Broker } from 'kafkajs/src/cluster/index.js'
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js'

const UNSUPPORTED_VERSION = 35

/** The newest version of a request that we and the broker know. Throws UNSUPPORTED_VERSION if they share no version. */
export function commonVersion(
  { versions }: Pick<Broker, 'versions'>,
  { apiKey, oldest, newest }: { readonly apiKey: number; readonly oldest: number; readonly newest: number },
): number {
  const version = Math.min(newest, versions[apiKey]?.maxVersion ?? 0)
  if (version < oldest) throw unsupportedVersion()
  return version
}

/** The error of a broker that does not know a version. */
export function unsupportedVersion(): Error {
  return createErrorFromCode(UNSUPPORTED_VERSION)
}
