import { healthRoute } from '../../monitor/health.ts'
import { WatchHealth } from '../../monitor/watch-health.ts'
import { defineCommand } from '../command.ts'
import { findPipeline, optionsOf } from '../found-pipeline.ts'
import { withinLimits } from '../limits.ts'
import { openMonitorServer, SERVER_OPTIONS } from '../monitor-server.ts'
import { SHARED_OPTIONS } from '../shared-pipeline.ts'

export const monitorCommand = defineCommand({
  name: 'monitor',
  doc: 'watch a pipeline and serve what it looks like over HTTP, until it is stopped; prints its URL on stdout. It only reads. Without a broker it watches the latest run of this user',
  operands: [],
  example: 'rowmill monitor --brokers 127.0.0.1:9092',
  options: ['monitorPort', ...SERVER_OPTIONS, 'stalledAfter', ...SHARED_OPTIONS],
  act: (_, options) =>
    withinLimits(options, 'before the pipeline was read', async session => {
      const { say, signal } = session
      const found = optionsOf(options, await findPipeline('monitor', options, null))
      const health = new WatchHealth(options.stalledAfter)
      const probes = [healthRoute('/livez', () => health.live()), healthRoute('/readyz', () => health.ready())]
      const server = await openMonitorServer({ ...options, port: options.monitorPort }, probes, say)
      try {
        const { watchOverHttp } = await import('../watch-over-http.ts')
        await watchOverHttp(found, session, { server, health })
        return 0
      } catch (error) {
        if (error === signal.reason && signal.reason.code !== 'TIMEOUT') return 0 // a signal is how it ends
        throw error
      } finally {
        await server.close()
      }
    }),
})
