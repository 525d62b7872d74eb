import type { WorkerTime } from '../reports/report.ts'
import type { WorkerView } from './view.ts'

/** What these workers spent their time on, in seconds of all of them. Null: none of them reports it. */
export function timeOfWorkers(workers: readonly Pick<WorkerView, 'time'>[]): WorkerTime | null {
  const times = workers.map(({ time }) => time).filter(time => time !== null)
  if (times.length === 0) return null
  const sum = (of: keyof WorkerTime) => times.reduce((total, time) => total + time[of], 0)
  return { start: sum('start'), classify: sum('classify'), send: sum('send'), wait: sum('wait') }
}
