import { RowmillError } from '../../errors.ts'
import { healthRoute } from '../../monitor/health.ts'
import { WatchHealth } from '../../monitor/watch-health.ts'
import type { PipelineView } from '../../watch/view.ts'
import { defineCommand } from '../command.ts'
import { type FoundPipeline, findPipeline, foundAgain, optionsOf } from '../found-pipeline.ts'
import { type FoundRun, isRunning, untilOver } from '../found-run.ts'
import { type Session, withinLimits } from '../limits.ts'
import { logAbout } from '../log.ts'
import { openMonitorServer, SERVER_OPTIONS } from '../monitor-server.ts'
import { SHARED_OPTIONS } from '../shared-pipeline.ts'
import { describeRun, endOfRun, viewOfRun } from '../status/run-of-status.ts'

/** A view, with what is known of it on this machine. */
type TellView = (view: PipelineView) => PipelineView

/** Waits until the local Kafka of a run that is starting is there. Null: the run is over before. */
async function untilStarted(first: FoundPipeline, { say, signal }: Session): Promise<FoundPipeline | null> {
  let found = first
  for (let { run } = found; run !== null && found.cluster === null && isRunning(run); { run } = found) {
    if (found === first) say(`${describeRun(run).text} Waiting for its Kafka`)
    const now = await foundAgain({ ...found, run }, signal)
    if (now === null) {
      say(endOfRun(run, null).text)
      return null
    }
    found = now
  }
  return found
}

/** Resolves when the file of the run is gone, as its topics are then. Before that a signal or a fault ends it. */
async function untilRunIsOver(
  run: FoundRun,
  session: Session,
  watch: (session: Session, told: TellView) => Promise<void>,
): Promise<void> {
  const { say, signal } = session
  const stop = new AbortController()
  const stopped = AbortSignal.any([signal, stop.signal])
  let now = run
  const isOver = async () => {
    await untilOver(run, stopped, seen => {
      now = seen
    })
    say(endOfRun(run, null).text)
  }
  const watching = watch({ ...session, signal: stopped }, view => viewOfRun(view, now))
  const over = isOver()
  over.catch(() => {}) // it was stopped
  try {
    await Promise.race([over, watching])
  } finally {
    stop.abort()
    await watching.catch(() => {}) // thrown above
  }
}

export const monitorCommand = defineCommand({
  name: 'monitor',
  doc: 'watch a pipeline and serve what it looks like over HTTP, until it is stopped; prints its URL on stdout. It only reads. Without a broker it watches what this user runs on this machine, the latest first',
  operands: [
    {
      name: 'OUT',
      doc: 'the OUT of a rowmill run or collect that is not complete. Without it: the pipeline, or what runs on this machine',
      optional: true,
    },
  ],
  example: 'rowmill monitor --brokers 127.0.0.1:9092',
  options: ['monitorPort', ...SERVER_OPTIONS, 'stalledAfter', ...SHARED_OPTIONS],
  act: ([output = null], options) =>
    withinLimits(options, 'before the pipeline was read', async session => {
      const { say, signal } = session
      const first = await findPipeline('monitor', options, output)
      if (output !== null && first.run === null && first.job === output)
        throw new RowmillError('USAGE', `${output} is not the OUT of a run or collect that is not complete`)
      logAbout({ pipeline: first.pipeline, ...(first.run === null ? {} : { job: first.run.job }) })
      const health = new WatchHealth(options.stalledAfter)
      const probes = [healthRoute('/livez', () => health.live()), healthRoute('/readyz', () => health.ready())]
      const server = await openMonitorServer({ ...options, port: options.monitorPort }, probes, say)
      try {
        const place = await untilStarted(first, session)
        if (place === null) return 0
        const { run } = place
        const found = optionsOf(options, place)
        const { watchOverHttp } = await import('../watch-over-http.ts')
        const watch = (during: Session, told: TellView) => watchOverHttp(found, during, { server, health, told })
        await (run === null ? watch(session, view => view) : untilRunIsOver(run, session, watch))
        return 0
      } catch (error) {
        if (error === signal.reason && signal.reason.code !== 'TIMEOUT') return 0 // a signal is how it ends
        throw error
      } finally {
        await server.close()
      }
    }),
})
