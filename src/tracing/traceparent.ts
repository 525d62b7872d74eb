/** Where a trace continues, as text: the header `traceparent` of W3C Trace Context (level 1). */
import type { SpanContext } from '@opentelemetry/api'

/** A later version may have more fields after a further dash. */
const FORMAT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?=$|-)/
const FIRST_VERSION = '00'
const LENGTH = 55

/** Null if the text is no traceparent. */
export function parseTraceparent(text: string): SpanContext | null {
  const found = FORMAT.exec(text)
  if (!found) return null
  const [, version, traceId, spanId, flags] = found as unknown as [string, string, string, string, string]
  if (version === FIRST_VERSION && text.length !== LENGTH) return null
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}

export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `${FIRST_VERSION}-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`
}
