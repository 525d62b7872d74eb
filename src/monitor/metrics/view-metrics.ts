import type { Registry } from 'prom-client'
import { isOpen } from '../../watch/phase.ts'
import type { JobPhase, JobView, PartitionView, PipelineView, ViewSource, WorkerView } from '../../watch/view.ts'
import { addJobGauge, addJobMetrics, backlogOf, idleSecondsOf } from './job-metrics.ts'
import { addGauge, type SetSeries } from './series.ts'

/** At most so many jobs have series: the open ones, then the latest. */
const MOST_JOBS = 100
/** At most so many reasons of rejects of a job have a series of their own. The others share `other`. */
const MOST_REASONS = 20
/** Workers skip the rows of these. */
const SKIPPED: readonly JobPhase[] = ['failed', 'cancelled']
const STATES: readonly WorkerView['state'][] = ['starting', 'idle', 'busy', 'silent', 'gone']

/** Adds what a pipeline looks like, as of the latest view at each scrape. Before the first view nothing has a series. */
export function addViewMetrics(registry: Registry, source: ViewSource): void {
  const add = <L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[],
    fill: (view: PipelineView, set: SetSeries<L>) => void,
  ) =>
    addGauge<L>(registry, {
      name,
      help,
      labels,
      fill: set => (source.latest === null ? undefined : fill(source.latest, set)),
    })
  const addIfKnown: typeof add = (name, help, labels, fill) =>
    add(name, help, labels, (view, set) => (isKnown(view) ? fill(view, set) : undefined))
  const jobs = () => {
    const { jobs: all = [], at = 0 } = source.latest ?? {}
    const still = ({ movedAt }: JobView) => (movedAt === null ? null : Math.max(0, at - movedAt) / 1000)
    return shownJobs(all).map(job => ({ ...job, at, idleSeconds: idleSecondsOf(job, still(job)) }))
  }

  addJobMetrics(registry, jobs)
  addJobGauge(registry, jobs, {
    name: 'rowmill_job_wait_seconds',
    help: 'Seconds that the ordered output of a job has waited for its next row, by what it waits for.',
    labels: ['reason'],
    fill: ({ waitsFor, at }, set) => {
      if (waitsFor !== null) set({ reason: waitsFor.reason }, Math.max(0, at - (waitsFor.since ?? at)) / 1000)
    },
  })
  addJobGauge(registry, jobs, {
    name: 'rowmill_job_rejected_rows',
    help: 'Rejected rows of a job by reason.',
    labels: ['reason'],
    fill: (job, set) => {
      for (const [reason, rows] of fewReasons(job.rejectsByReason)) set({ reason }, rows)
    },
  })
  const places = ['topic', 'partition'] as const
  add('rowmill_lag_rows', 'Published rows of a partition without a result.', places, ({ jobs }, set) => {
    for (const [{ topic, partition }, parts] of byPlace(jobs))
      set(
        { topic, partition },
        ofKnown(parts, 'lagRows', (a, b) => a + b),
      )
  })
  add(
    'rowmill_lag_seconds',
    'Age in seconds of the oldest published row of a partition without a result, or 0 if no row waits.',
    places,
    ({ jobs }, set) => {
      for (const [{ topic, partition }, parts] of byPlace(jobs))
        set({ topic, partition }, ofKnown(parts, 'lagSeconds', Math.max))
    },
  )
  addIfKnown('rowmill_backlog_rows', 'Published rows without a result, of all open jobs.', [], ({ jobs }, set) =>
    set({}, backlogOfOpen(jobs)),
  )
  addIfKnown(
    'rowmill_backlog_seconds',
    'Seconds until the backlog is classified at the rate of now; none where nothing moves.',
    [],
    ({ jobs }, set) => set({}, backlogSeconds(jobs)),
  )
  addIfKnown('rowmill_pipeline_workers', 'Workers of the pipeline on all machines.', ['state'], ({ workers }, set) => {
    for (const state of STATES) set({ state }, workers.filter(worker => worker.state === state).length)
  })
  add('rowmill_broker_up', '1 if a broker answers, else 0: then all else is as of before.', [], (view, set) =>
    set({}, view.unreachableSince === null ? 1 : 0),
  )
}

/** Not if no broker has answered since the watch began. A pipeline without topics has no rows and no workers. */
function isKnown({ unreachableSince, noTopics, jobs, workers }: PipelineView): boolean {
  return unreachableSince === null || noTopics !== null || jobs.length > 0 || workers.length > 0
}

function shownJobs(jobs: readonly JobView[]): JobView[] {
  const latest = jobs.toReversed()
  return [...latest.filter(isOpen), ...latest.filter(job => !isOpen(job))].slice(0, MOST_JOBS)
}

function backlogOfOpen(jobs: readonly JobView[]): number {
  return jobs.filter(isOpen).reduce((sum, job) => sum + (backlogOf(job.rows) ?? 0), 0)
}

function backlogSeconds(jobs: readonly JobView[]): number | null {
  const backlog = backlogOfOpen(jobs)
  if (backlog === 0) return 0
  const rowsPerSecond = jobs.filter(isOpen).reduce((sum, { rate }) => sum + rate.now, 0)
  return rowsPerSecond > 0 ? backlog / rowsPerSecond : null
}

function fewReasons(byReason: Readonly<Record<string, number>>): [string, number][] {
  const all = Object.entries(byReason).sort(([, a], [, b]) => b - a)
  const others = all.slice(MOST_REASONS)
  if (others.length === 0) return all
  return [...all.slice(0, MOST_REASONS), ['other', others.reduce((sum, [, rows]) => sum + rows, 0)]]
}

/** The partitions of all jobs whose rows are classified, together where jobs share a partition. */
function byPlace(jobs: readonly JobView[]): [PartitionView, PartitionView[]][] {
  const all = jobs.filter(({ phase }) => !SKIPPED.includes(phase)).flatMap(({ partitions }) => partitions)
  return [...Map.groupBy(all, ({ topic, partition }) => `${topic} ${partition}`).values()].map(parts => [
    parts[0]!,
    parts,
  ])
}

/** Null: it is not known of any. */
function ofKnown(
  parts: readonly PartitionView[],
  field: 'lagRows' | 'lagSeconds',
  join: (a: number, b: number) => number,
): number | null {
  const known = parts.map(part => part[field]).filter(value => value !== null)
  return known.length === 0 ? null : known.reduce((a, b) => join(a, b))
}
