import { metricsRoute } from '../monitor/metrics/metrics-route.ts'
import { monitorRegistry } from '../monitor/metrics/monitor-registry.ts'
import { PageFeed } from '../monitor/page/page-feed.ts'
import { pageRoutes } from '../monitor/page/page-routes.ts'
import type { MonitorServer } from '../monitor/server.ts'
import type { WatchHealth } from '../monitor/watch-health.ts'
import { unlessAborted } from '../support/abort.ts'
import { version } from '../support/version.ts'
import { PipelineWatch } from '../watch/pipeline-watch.ts'
import type { Session } from './limits.ts'
import { openSharedPipeline, type SharedOptions } from './shared-pipeline.ts'

/** Shows the pipeline until the signal aborts. Throws its reason, and what ends the watch. */
export async function watchOverHttp(
  options: SharedOptions & { readonly stalledAfter: number },
  { say, signal }: Session,
  { server, health }: { readonly server: MonitorServer; readonly health: WatchHealth },
): Promise<void> {
  const opening = openSharedPipeline({ command: 'monitor', options, topics: null }, { say, signal })
  const { kafka, pipeline, close } = await unlessAborted(opening, signal)
  await close()
  const watch = new PipelineWatch({ kafka, pipeline, say }, { stalledAfterSeconds: options.stalledAfter })
  health.watches(watch)
  const running = watch.start()
  running.catch(() => {}) // thrown below
  const feed = new PageFeed(watch)
  try {
    const registry = monitorRegistry(watch, { version: version(), pipeline })
    server.add([metricsRoute(async () => registry), ...pageRoutes(feed)])
    say(`watching pipeline ${pipeline}`)
    process.stdout.write(`${server.url}\n`)
    await unlessAborted(running, signal)
  } finally {
    feed.close()
    await watch.close()
  }
}
