import { type Health, healthRoute } from '../../monitor/health.ts'
import { untilAborted } from '../../support/abort.ts'
import { defineCommand } from '../command.ts'
import { findPipeline, optionsOf } from '../found-pipeline.ts'
import { withinLimits } from '../limits.ts'
import { openMonitorServer, SERVER_OPTIONS } from '../monitor-server.ts'
import { onSharedPipeline, SHARED_OPTIONS } from '../shared-pipeline.ts'

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
      let ready: Health = { isGood: false, reason: 'connecting to the brokers' }
      const routes = [
        healthRoute('/livez', () => ({ isGood: true, reason: 'it answers' })),
        healthRoute('/readyz', () => ready),
      ]
      const server = await openMonitorServer({ ...options, port: options.monitorPort }, routes, say)
      try {
        await onSharedPipeline(session, { command: 'monitor', options: found, topics: null }, async ({ pipeline }) => {
          ready = { isGood: true, reason: `it watches pipeline ${pipeline}` }
          say(`watching pipeline ${pipeline}`)
          process.stdout.write(`${server.url}\n`)
          await untilAborted(signal)
          signal.throwIfAborted()
        })
        return 0
      } catch (error) {
        if (error === signal.reason && signal.reason.code !== 'TIMEOUT') return 0 // a signal is how it ends
        throw error
      } finally {
        await server.close()
      }
    }),
})
