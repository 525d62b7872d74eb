import { loadApi } from './load-packages.ts'
import type { TraceHeaders } from './spans.ts'
import { formatTraceparent } from './traceparent.ts'

/**
 * A function that says where the trace continues that is active where it is called, as headers for a message. Null: none is.
 * Throws USAGE if `@opentelemetry/api` is not installed.
 */
export async function findActiveTrace(): Promise<() => TraceHeaders | null> {
  const { context, isSpanContextValid, trace } = await loadApi()
  return () => {
    const active = trace.getSpanContext(context.active())
    return active && isSpanContextValid(active) ? { traceparent: formatTraceparent(active) } : null
  }
}
