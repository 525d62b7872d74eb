import { type MonitorRequest, plain, type Route, type RouteAnswer } from '../server.ts'
import { PageChanges } from './page-changes.ts'
import type { PageFeed } from './page-feed.ts'
import { PAGE_FILES } from './page-files.ts'

/** The page has no inline script or style, loads nothing from elsewhere, makes no markup of text, and may be in no frame. */
const SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** Besides those that the server sends with every answer. */
const HEADERS = {
  'Content-Security-Policy': SECURITY_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/**
 * `GET /` and the files of the page; `GET /api/view`, what the page shows now, as JSON; `GET /api/stream`, what changes, as
 * server-sent events. Both take `?job=ID`. A stream resumes after the event that Last-Event-ID or `?after=` names.
 */
export function pageRoutes(feed: PageFeed): Route[] {
  const files = Object.entries(PAGE_FILES).map(([path, { type, read }]): Route => {
    const answer = () => ({ headers: { ...HEADERS, 'Content-Type': type }, body: read() })
    return { method: 'GET', path, answer }
  })
  const view = ({ query }: MonitorRequest): RouteAnswer => ({
    headers: { ...HEADERS, 'Content-Type': 'application/json' },
    body: `${feed.message(new PageChanges(query.get('job')))}\n`,
  })
  return [
    ...files,
    { method: 'GET', path: '/api/view', answer: view },
    { method: 'GET', path: '/api/stream', answer: request => streamOf(feed, request) },
  ]
}

function streamOf(feed: PageFeed, { query, headers, signal }: MonitorRequest): RouteAnswer {
  if (!feed.hasRoom) return plain(503, 'too many pages are open: close one')
  const last = Number(headers['last-event-id'] ?? query.get('after'))
  const changes = new PageChanges(query.get('job'), Number.isFinite(last) ? last : 0)
  return { headers: { ...HEADERS, 'Content-Type': 'text/event-stream' }, body: feed.events(changes, signal) }
}
