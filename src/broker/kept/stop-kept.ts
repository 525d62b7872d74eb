import { setTimeout as delay } from 'node:timers/promises'
import { RowmillError } from '../../errors.ts'
import { identify, isAlive } from '../../support/process-identity.ts'
import { visit } from './door.ts'
import { keptFiles } from './kept-folder.ts'

const POLL_MS = 50

/**
 * Ends the broker that runs left in this folder. Resolves with what happens: `none` was there, it has `ended`, or it ends after
 * so many runs that use it. Throws BROKER_FAILED if its keeper does not answer, and the reason of `signal`.
 */
export async function stopKeptBroker(folder: string, signal: AbortSignal): Promise<'none' | 'ended' | number> {
  const visited = await visit(keptFiles(folder).door, 'stop')
  if (visited === 'nobody') return 'none'
  if (visited === 'silent') {
    const message = `the keeper of the Kafka in ${folder} does not answer. Find it with pgrep rowmill-keeper, and end it with kill -9 PID`
    throw new RowmillError('BROKER_FAILED', message, { path: folder })
  }
  const { runs, pid } = visited.state
  const keeper = identify(pid)
  visited.leave()
  if (runs > 0) return runs
  while (keeper !== null && isAlive(keeper)) await delay(POLL_MS, undefined, { signal })
  return 'ended'
}
