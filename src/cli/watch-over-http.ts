import { metricsRoute } from '../monitor/metrics/metrics-route.ts'
import { monitorRegistry } from '../monitor/metrics/monitor-registry.ts'
import { PageFeed } from '../monitor/page/page-feed.ts'
import { pageRoutes } from '../monitor/page/page-routes.ts'
import type { MonitorServer, Route } from '../monitor/server.ts'
import { StandingWatch } from '../monitor/standing-watch.ts'
import type { WatchHealth } from '../monitor/watch-health.ts'
import { unlessAborted } from '../support/abort.ts'
import { version } from '../support/version.ts'
import { Pace } from '../watch/pace.ts'
import type { PipelineView } from '../watch/view.ts'
import type { Session } from './limits.ts'
import { type SharedOptions, sharedConnection } from './shared-pipeline.ts'
import { print, printed } from './standard-output.ts'

interface Watched {
  readonly server: MonitorServer
  readonly health: WatchHealth
  /** A view, with what is known of it on this machine. */
  readonly told: (view: PipelineView) => PipelineView
}

/** Shows the pipeline until the signal aborts. Throws its reason, and what ends the watch. */
export async function watchOverHttp(
  options: SharedOptions & { readonly stalledAfter: number },
  { say, signal }: Session,
  { server, health, told }: Watched,
): Promise<void> {
  const connection = await unlessAborted(sharedConnection({ command: 'monitor', options }, { say, signal }), signal)
  const pace = new Pace()
  const interest = { countsLatest: true, stalledAfterSeconds: options.stalledAfter }
  const watch = new StandingWatch(connection, { ...interest, pace, told })
  health.watches(watch)
  const feed = new PageFeed(watch)
  try {
    const registry = monitorRegistry(watch, { version: version(), pipeline: connection.pipeline })
    server.add([metricsRoute(async () => registry), ...pageRoutes(feed)].map(route => pacing(route, pace)))
    print(`${server.url}\n`)
    await printed()
    await unlessAborted(watch.run(signal), signal)
  } finally {
    feed.close()
    watch.close()
  }
}

/** The same route. Who asks for it, or follows its stream, sees what the watch sees now. */
function pacing(route: Route, pace: Pace): Route {
  return {
    ...route,
    answer: async request => {
      const answer = await route.answer(request)
      const isStream = typeof answer.body === 'object' && Symbol.asyncIterator in answer.body
      pace.asked(isStream ? request.signal : undefined)
      return answer
    },
  }
}
