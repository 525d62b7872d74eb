import type { WorkerTime } from '../../reports/report.ts'
import { printable } from '../../support/printable.ts'
import { isOpen } from '../../watch/phase.ts'
import { timeOfWorkers } from '../../watch/time-of-workers.ts'
import type { EventView, JobView, PartitionView, PipelineView, ProcessView, WorkerView } from '../../watch/view.ts'
import { asSentence, type Headline, headlineOf, jobOfInterest, othersInTrouble } from './headline.ts'
import type { HistoryPoints } from './history.ts'

/** One line of the list of jobs. */
export interface JobLine
  extends Pick<JobView, 'id' | 'phase' | 'openedAt' | 'movedAt' | 'rows' | 'etaSeconds' | 'bounded'> {
  /** Rows classified a second over the last 30 s. */
  readonly rate: number
}

/** The job that is open on the page. */
export interface JobDetail
  extends Pick<JobView, 'id' | 'phase' | 'rows' | 'rejectsByReason' | 'lastRejects' | 'failure' | 'help' | 'waitsFor'> {
  readonly averageRate: number
  /** At most 64, in the order of their numbers: those that hold up the output or have the most rows waiting. */
  readonly partitions: readonly PartitionView[]
  readonly partitionsLeftOut: number
}

/** What the page shows, in parts that are sent only when they change. */
export interface PageState {
  readonly pipeline: Pick<PipelineView, 'pipeline' | 'brokers' | 'unreachableSince'> | null
  readonly headline: Headline
  readonly others: readonly { readonly job: string; readonly sentence: string }[]
  /** Open jobs first, then the latest. */
  readonly jobs: readonly JobLine[]
  readonly job: JobDetail | null
  /** Those that need attention first. At most 100. */
  readonly workers: readonly WorkerView[]
  readonly workersLeftOut: number
  readonly processes: readonly ProcessView[]
  /** What the workers that are there spent their time on, or all if none is left. Null: none of them reports. */
  readonly time: WorkerTime | null
  readonly events: readonly EventView[]
}

/** A message to the page. What it leaves out has not changed since the message before. */
export interface PageMessage extends Partial<Omit<PageState, 'jobs' | 'events'>> {
  /** By the clock of the monitor, in milliseconds since 1970. */
  readonly at: number
  /** Whether the page shall forget what it has. */
  readonly isFirst: boolean
  /** The order of all jobs. */
  readonly order?: readonly string[]
  /** The jobs that changed. */
  readonly jobs?: readonly JobLine[]
  /** Those since the message before. */
  readonly events?: readonly EventView[]
  /** Points of `drawn` since the message before, or since the one that the page had last. */
  readonly points?: HistoryPoints
  /** Whose rows per second are drawn. Null: those of all jobs. */
  readonly drawn?: string | null
}

const MOST_JOBS = 100
const MOST_PARTITIONS = 64
const MOST_WORKERS = 100
const WORKER_ORDER = { silent: 0, busy: 1, starting: 1, idle: 1, gone: 2 }

/** @param wanted the id of the job that is open on the page. Null: the one of interest. */
export function pageStateOf(view: PipelineView | null, wanted: string | null): PageState {
  const job = view && jobOf(view, wanted)
  const workers = [...(view?.workers ?? [])].sort(
    (a, b) => WORKER_ORDER[a.state] - WORKER_ORDER[b.state] || (a.name < b.name ? -1 : 1),
  )
  return {
    pipeline: view && { pipeline: view.pipeline, brokers: view.brokers, unreachableSince: view.unreachableSince },
    headline: headlineOf(view, job),
    others: view ? othersInTrouble(view, job?.id ?? null) : [],
    jobs: view ? shownJobs(view.jobs).map(summaryOf) : [],
    job: job && detailOf(job),
    workers: workers.slice(0, MOST_WORKERS),
    workersLeftOut: Math.max(0, workers.length - MOST_WORKERS),
    processes: view?.processes ?? [],
    time: timeOf(workers),
    events: (view?.events ?? []).map(event => ({ ...event, text: asSentence(event.text) })),
  }
}

/** Job ids reach the page as `toJson` writes them. */
function jobOf(view: PipelineView, wanted: string | null): JobView | null {
  const found = wanted === null ? undefined : view.jobs.find(({ id }) => printable(id) === wanted)
  return found ?? jobOfInterest(view)
}

/** Of text that others wrote, what would reorder a line or is invisible becomes an escape. The page shows all of it as text. */
export const toJson = (value: unknown) =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? printable(part) : part))

function shownJobs(jobs: readonly JobView[]): JobView[] {
  const latestFirst = [...jobs].reverse()
  return [...latestFirst.filter(isOpen), ...latestFirst.filter(job => !isOpen(job))].slice(0, MOST_JOBS)
}

function summaryOf({ id, phase, openedAt, movedAt, rows, rate, etaSeconds, bounded }: JobView): JobLine {
  return { id, phase, openedAt, movedAt, rows, etaSeconds, bounded, rate: rate.now }
}

function detailOf(job: JobView): JobDetail {
  const { id, phase, rows, rejectsByReason, lastRejects, failure, help, waitsFor } = job
  const weight = (partition: PartitionView) => (partition.blocks ? Number.MAX_SAFE_INTEGER : (partition.lagRows ?? 0))
  const worst = [...job.partitions].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_PARTITIONS)
  return {
    ...{ id, phase, rows, rejectsByReason, lastRejects, failure, help, waitsFor },
    averageRate: job.rate.average,
    partitions: worst.sort((a, b) => a.partition - b.partition || (a.topic < b.topic ? -1 : 1)),
    partitionsLeftOut: job.partitions.length - worst.length,
  }
}

function timeOf(workers: readonly WorkerView[]): WorkerTime | null {
  const here = workers.filter(({ state }) => state !== 'gone')
  return timeOfWorkers(here.length > 0 ? here : workers)
}
