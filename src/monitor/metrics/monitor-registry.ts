import type { ViewSource } from '../../watch/view.ts'
import { addProcessMetrics } from './process-metrics.ts'
import { Registry } from './prom-client.ts'
import { addViewMetrics } from './view-metrics.ts'

/** What `rowmill monitor` says of the pipeline that it watches. */
export function monitorRegistry(
  source: ViewSource,
  { version, pipeline }: { readonly version: string; readonly pipeline: string },
): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ pipeline })
  addProcessMetrics(registry, { command: 'monitor', version })
  addViewMetrics(registry, source)
  return registry
}
