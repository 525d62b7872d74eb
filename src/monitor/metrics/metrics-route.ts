import type { Registry } from 'prom-client'
import type { Route } from '../server.ts'

/**
 * `/metrics` in Prometheus' text format, version 0.0.4. Prometheus asks for OpenMetrics first, but takes this too. prom-client
 * renames its counters for OpenMetrics, so one registry cannot do both.
 */
export function metricsRoute(registry: () => Promise<Registry>): Route {
  return {
    method: 'GET',
    path: '/metrics',
    answer: async () => {
      const found = await registry()
      return { headers: { 'Content-Type': found.contentType }, body: await found.metrics() }
    },
  }
}
