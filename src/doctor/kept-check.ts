import { visit } from '../broker/kept/door.ts'
import { keptFiles } from '../broker/kept/kept-folder.ts'
import { counted } from '../support/counted.ts'
import { type Check, ok, warning } from './check.ts'

const LIMIT_MS = 5000
const MINUTE_MS = 60_000

/** The local Kafka that runs left: where it is, who uses it, and when it ends. */
export const keptCheck: Check = {
  name: 'kept-broker',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ keptFolder }) {
    if (keptFolder === null) return ok('runs leave no local Kafka, because this user has no home folder')
    const visited = await visit(keptFiles(keptFolder).door, 'look')
    if (visited === 'nobody') return ok('no local Kafka was left by a run')
    if (visited === 'silent') {
      const cure = 'find it with pgrep rowmill-keeper, and end it with kill -9 PID'
      return warning(`the keeper of the local Kafka in ${keptFolder} does not answer`, cure)
    }
    visited.leave()
    const { port, runs, endsInMs } = visited.state
    const ends =
      endsInMs === null ? `used by ${counted(runs, 'run')}` : `ends in ${Math.ceil(endsInMs / MINUTE_MS)} min`
    const where = `127.0.0.1:${port}, data in ${keptFolder}`
    return ok(`a local Kafka that a run left: ${where}, ${ends}. rowmill broker --stop ends it`)
  },
}
