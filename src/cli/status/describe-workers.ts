import { counted } from '../../support/counted.ts'
import { timeOfWorkers } from '../../watch/time-of-workers.ts'
import type { JobView, WorkerView } from '../../watch/view.ts'
import { secondsOf } from '../../watch/what-it-waits-for.ts'
import { duration } from '../duration.ts'
import { type TextLine, wrapped } from './layout.ts'
import { grouped, ranges, rowCount, speed } from './words.ts'

/** Which states come first: those that may need a person. */
const ORDER = ['silent', 'starting', 'busy', 'idle', 'gone'] as const
/** How many workers are shown unless all are asked for. */
const SHOWN = 8

const ACTIVITIES = [
  ['classify', 'classifying'],
  ['send', 'sending results'],
  ['wait', 'waiting for rows'],
  ['start', 'starting the classifier'],
] as const

/** `3 workers: 2 busy, 1 idle`. */
export function countWorkers(workers: readonly WorkerView[]): string {
  const here = workers.filter(({ state }) => state !== 'gone')
  const counts = ORDER.map(state => [state, here.filter(worker => worker.state === state).length] as const)
  const told = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`)
  return here.length === 0 ? 'no worker' : `${counted(here.length, 'worker')}: ${told.join(', ')}`
}

/** Each worker in a text of its own. Those that may need a person come first. */
export function describeWorkers(
  workers: readonly WorkerView[],
  { job, width, all }: { job: JobView; width: number; all: boolean },
): TextLine[] {
  const sorted = [...workers].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state))
  const here = sorted.filter(({ state }) => all || state !== 'gone')
  if (here.length === 0) return []
  const shown = all ? here : here.slice(0, SHOWN)
  const more = here.slice(shown.length)
  return [
    ...wrapped(countWorkers(workers), width, { tone: 'title' }),
    ...wrapped(describeTime(here), width, { indent: '  ' }),
    ...shown.flatMap(worker => wrapped(describeWorker(worker, job), width, { indent: '  ' })),
    ...(more.length === 0 ? [] : wrapped(`${more.length} more: --all shows them`, width, { indent: '  ' })),
  ]
}

/** `time: 93 % classifying, 1 % sending results, 6 % waiting for rows`. */
function describeTime(workers: readonly WorkerView[]): string {
  const time = timeOfWorkers(workers)
  if (time === null) return ''
  const sum = time.classify + time.send + time.wait + time.start
  const shares = ACTIVITIES.map(([activity, words]) => [Math.round((100 * time[activity]) / sum), words] as const)
  const told = shares.filter(([share]) => share > 0).map(([share, words]) => `${share} % ${words}`)
  return told.length === 0 ? '' : `time of all workers: ${told.join(', ')}`
}

function describeWorker(worker: WorkerView, job: JobView): string {
  const { name, host, pid, rows, rowsPerSecond, rejected, restarts, classifierRestarts, process } = worker
  const partitions = worker.partitions.filter(({ topic }) => topic === job.topic).map(({ partition }) => partition)
  const places = [name.startsWith(`${host}-`) ? '' : host, pid === null ? '' : `pid ${pid}`].filter(part => part !== '')
  const place = places.length === 0 ? '' : ` (${places.join(', ')})`
  const told = [
    process === null ? '' : `${rowCount(rows)} at ${speed(rowsPerSecond)}`,
    rejected === 0 ? '' : `${grouped(rejected)} rejected`,
    partitions.length === 0 ? '' : `partition${partitions.length === 1 ? '' : 's'} ${ranges(partitions)}`,
    restarts === 0 ? '' : `restarted ${times(restarts)}`,
    ...Object.entries(classifierRestarts).map(([code, count]) => `classifier started again ${times(count)} (${code})`),
  ].filter(part => part !== '')
  return `${name}${place}: ${[activity(worker, job), ...told].join('; ')}`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function activity({ state, process, batch, silentSeconds }: WorkerView, job: JobView): string {
  if (state === 'silent') return `silent for ${duration(silentSeconds)}: it may be frozen or its machine may be gone`
  if (state === 'gone') return 'gone'
  if (process === null) return 'in the consumer group, does not report what it does'
  if (state === 'starting') return 'starts: its classifier is being imported'
  if (batch === null) return state === 'busy' ? 'busy' : 'idle: it has no rows'
  const from = batch.row === null ? '' : ` from row ${batch.row}`
  const other = batch.job === job.id ? '' : ` of job ${batch.job}`
  return `classifies ${rowCount(batch.rows)}${from}${other} for ${secondsOf(batch.seconds)}`
}
