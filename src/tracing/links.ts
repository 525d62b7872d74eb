import type { Link } from '@opentelemetry/api'
import { parseTraceparent } from './traceparent.ts'

/** A span links to at most so many others: the limit of OpenTelemetry's specification. */
const MOST_LINKS = 128

/** Links to the spans that these headers name, each once: all messages of a publisher name the same. */
export function linksTo(traceparents: Iterable<string | undefined>): Link[] {
  const links: Link[] = []
  for (const text of new Set(traceparents)) {
    const context = text === undefined ? null : parseTraceparent(text)
    if (context && links.length < MOST_LINKS) links.push({ context })
  }
  return links
}
