import type { OptionValues } from '../options.ts'
import type { Observer } from '../reports/observer.ts'
import type { Say } from '../support/say.ts'
import { version } from '../support/version.ts'
import { openMonitorServer, SERVER_OPTIONS } from './monitor-server.ts'

/** The options of a command that can be scraped and probed. */
export const METER_OPTIONS = ['metricsPort', ...SERVER_OPTIONS, 'stalledAfter'] as const

export interface Metered {
  readonly command: string
  readonly options: OptionValues<(typeof METER_OPTIONS)[number]>
  /** A file that the command writes. Null: none. */
  readonly output: string | null
  readonly say: Say
}

/**
 * Runs `act` with an observer whose metrics are served over HTTP while it runs, or with null if there is no --metrics-port: then nothing of
 * it is loaded. A port that cannot be used is found before `act` begins.
 */
export async function withMeter<T>(
  { command, options, output, say }: Metered,
  act: (observer: Observer | null) => Promise<T>,
): Promise<T> {
  const { metricsPort: port, stalledAfter: stalledAfterSeconds } = options
  if (port === null) return await act(null)
  const { Meter } = await import('../monitor/meter.ts')
  const meter = new Meter({ command, version: version(), stalledAfterSeconds, output })
  try {
    const server = await openMonitorServer({ ...options, port }, meter.routes, say)
    say(`metrics are at ${server.url}/metrics`)
    try {
      return await act(meter)
    } finally {
      await server.close()
    }
  } finally {
    await meter.close()
  }
}
