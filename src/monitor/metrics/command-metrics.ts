import { dirname, resolve } from 'node:path'
import type { ErrorCode } from '../../errors.ts'
import type { ObservedWork } from '../../reports/observer.ts'
import type { ReportedParts } from '../../reports/report.ts'
import { BATCH_STAGES, WORKER_ACTIVITIES, type WorkerReport } from '../../reports/report.ts'
import { freeDiskBytes } from '../../support/free-disk.ts'
import { addJobMetrics, type JobFigures } from './job-metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'
import { Counter, Histogram, Registry } from './prom-client.ts'
import { addCounter, addGauge } from './series.ts'

/** Upper bounds in seconds. A call of a classifier ends after --batch-timeout, 300 by default. */
const BATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const WAIT_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300]
/** At most so many reasons of rejects have a series of their own. The others share `other`. */
const MOST_REASONS = 20
const RESTART_REASONS: readonly ErrorCode[] = ['CLASSIFIER_TIMEOUT', 'CLASSIFIER_DIED']
const STATES: readonly WorkerReport['state'][] = ['starting', 'idle', 'busy']

export interface CommandMetricsOptions {
  readonly command: string
  readonly version: string
  /** What the parts of the command do now. */
  readonly look: () => ReportedParts
  /** A file that the command writes. Null: none. */
  readonly output: string | null
  /** How far the job of the command is. Null: the command has no job of its own. */
  readonly job: (() => JobFigures | null) | null
}

/** The commands that put rows in order. */
const WRITING: readonly string[] = ['run', 'collect']

/** What a command counts while it runs. Every number begins at 0 with the command. */
export class CommandMetrics {
  readonly registry = new Registry()
  readonly #batches: Histogram<'stage'>
  /** Null: the command has no ordered output. */
  readonly #waits: Histogram | null
  readonly #rejected: Counter<'reason'>
  readonly #reasons = new Set<string>()

  constructor({ command, version, look, output, job }: CommandMetricsOptions) {
    const { registry } = this
    const registers = [registry]
    addProcessMetrics(registry, { command, version })
    addRowCounters(registry, look)
    if (job !== null) addJobMetrics(registry, () => [job()].filter(figures => figures !== null))
    this.#rejected = new Counter({
      name: 'rowmill_rejected_rows_total',
      help: 'Rows that were rejected, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.#batches = new Histogram({
      name: 'rowmill_batch_duration_seconds',
      help: 'Seconds of a batch in each stage: queue, classify, send.',
      labelNames: ['stage'],
      buckets: BATCH_SECONDS,
      registers,
    })
    const waits = {
      name: 'rowmill_reorder_wait_seconds',
      help: 'Seconds that the ordered output waited for a row, each time.',
      buckets: WAIT_SECONDS,
      registers,
    }
    this.#waits = WRITING.includes(command) ? new Histogram(waits) : null
    addWorkerMetrics(registry, look)
    addGauge(registry, {
      name: 'rowmill_disk_free_bytes',
      help: 'Free bytes in the folder of a file that the command writes.',
      labels: ['path'],
      fill: async set => {
        const path = output === null ? null : dirname(resolve(output))
        if (path !== null) set({ path }, await freeDiskBytes(path).catch(() => null))
      },
    })
  }

  /** The label `pipeline` of all series, once it is known. */
  set pipeline(pipeline: string) {
    this.registry.setDefaultLabels({ pipeline })
  }

  rejected(byReason: Readonly<Record<string, number>>): void {
    for (const [reason, rows] of Object.entries(byReason)) {
      if (this.#reasons.size < MOST_REASONS) this.#reasons.add(reason)
      this.#rejected.inc({ reason: this.#reasons.has(reason) ? reason : 'other' }, rows)
    }
  }

  /** How long batches took in each of BATCH_STAGES, in ms. */
  batches(timings: ObservedWork['timings']): void {
    for (const times of timings)
      for (const [index, stage] of BATCH_STAGES.entries()) this.#batches.observe({ stage }, times[index]! / 1000)
  }

  /** The ordered output waited for a row, which came. */
  waited(seconds: number): void {
    this.#waits?.observe(seconds)
  }
}

/** Those of a part that the command does not have say nothing. */
function addRowCounters(registry: Registry, look: () => ReportedParts): void {
  const add = (name: string, help: string, count: (parts: ReportedParts) => number | undefined) =>
    addCounter(registry, { name, help, fill: set => set({}, count(look()) ?? null) })
  add('rowmill_published_rows_total', 'Rows that the broker acknowledged.', ({ publishing }) => publishing?.published)
  add('rowmill_classified_rows_total', 'Rows with an acknowledged result, rejects included.', ({ working }) =>
    working?.workers.reduce((sum, { rows }) => sum + rows, 0),
  )
  add('rowmill_written_rows_total', 'Rows that the collector wrote.', ({ collecting }) => collecting?.written)
  add(
    'rowmill_duplicate_rows_total',
    'Second copies of rows that the collector dropped.',
    ({ collecting }) => collecting?.duplicates,
  )
  add(
    'rowmill_worker_restarts_total',
    'Worker processes that were started again, by worker.',
    ({ working }) => working?.restarts,
  )
  add(
    'rowmill_rebalances_total',
    'How often a worker joined a group, or got other partitions.',
    ({ working }) => working?.rebalances,
  )
}

function addWorkerMetrics(registry: Registry, look: () => ReportedParts): void {
  addCounter(registry, {
    name: 'rowmill_worker_time_seconds_total',
    help: 'What the workers spent their time on, in seconds of all of them: start, classify, send, wait.',
    labels: ['activity'],
    fill: set => {
      const { working } = look()
      for (const activity of working ? WORKER_ACTIVITIES : [])
        set(
          { activity },
          working!.workers.reduce((sum, { time }) => sum + (time?.[activity] ?? 0), 0),
        )
    },
  })
  addCounter(registry, {
    name: 'rowmill_classifier_restarts_total',
    help: 'How often a worker started its classifier again, by the code of the reason.',
    labels: ['reason'],
    fill: set => {
      const { working } = look()
      for (const reason of working ? RESTART_REASONS : []) // also 0: an increase from nothing does not count
        set(
          { reason },
          working!.workers.reduce((sum, { classifierRestarts }) => sum + (classifierRestarts?.[reason] ?? 0), 0),
        )
    },
  })
  addGauge(registry, {
    name: 'rowmill_workers',
    help: 'Workers of this command.',
    labels: ['state'],
    fill: set => {
      const { working } = look()
      for (const state of working ? STATES : [])
        set({ state }, working!.workers.filter(worker => worker.state === state).length)
    },
  })
}
