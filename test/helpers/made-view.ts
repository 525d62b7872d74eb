import type { JobView, PartitionView, PipelineView, ProcessView, ViewSource, WorkerView } from '../../src/watch/view.ts'

/** When every made view was made, in milliseconds since 1970: 2026-03-01 02:00 UTC. */
export const MADE_AT = Date.UTC(2026, 2, 1, 2)
/** Text that a terminal would obey, and that a browser would. */
export const HOSTILE = '\u001b[2J\u001b]0;owned\u0007<img src=x onerror=alert(1)>\u202egnp'

/** A job of 1,000 rows in two partitions, half classified, that moved a second ago. */
export function aJob(parts: Partial<JobView> = {}): JobView {
  return {
    id: 'orders',
    phase: 'classifying',
    openedAt: MADE_AT - 60_000,
    movedAt: MADE_AT - 1000,
    by: 'publish',
    bounded: true,
    sequenced: true,
    attempt: 0,
    topic: 'rowmill.rows',
    rows: { total: 1000, published: 1000, classified: 500, written: 480, rejected: 0 },
    rate: { now: 10, average: 8 },
    etaSeconds: 50,
    waitsFor: null,
    rejectsByReason: {},
    lastRejects: [],
    partitions: [aPartition(), aPartition({ partition: 1 })],
    failure: null,
    help: null,
    ...parts,
  }
}

export function aPartition(parts: Partial<PartitionView> = {}): PartitionView {
  return {
    topic: 'rowmill.rows',
    partition: 0,
    total: 500,
    published: 500,
    classified: 250,
    lagRows: 250,
    lagSeconds: 31,
    rowsPerSecond: 5,
    owner: 'mill-4711-1',
    blocks: false,
    ...parts,
  }
}

/** A worker in the middle of a batch of 100 rows. */
export function aWorker(parts: Partial<WorkerView> = {}): WorkerView {
  const here = { topic: 'rowmill.rows', partition: 0 }
  return {
    name: 'mill-4711-1',
    host: 'mill',
    pid: 4711,
    process: 'mill-4700',
    state: 'busy',
    silentSeconds: 0.4,
    partitions: [here, { ...here, partition: 1 }],
    batch: { ...here, job: 'orders', row: 500, rows: 100, seconds: 2.5 },
    rows: 500,
    rowsPerSecond: 10,
    rejected: 0,
    restarts: 0,
    classifierRestarts: {},
    secondsPerRow: 0.09,
    time: { start: 2, classify: 45, send: 1, wait: 2 },
    ...parts,
  }
}

export function aProcess(parts: Partial<ProcessView> = {}): ProcessView {
  return {
    process: 'mill-4700',
    command: 'work',
    host: 'mill',
    pid: 4700,
    rowmill: '0.1.0',
    startedAt: MADE_AT - 90_000,
    state: 'running',
    job: null,
    ...parts,
  }
}

/** One job and the one worker that classifies it. */
export function aView(parts: Partial<PipelineView> = {}): PipelineView {
  return {
    pipeline: 'rowmill',
    at: MADE_AT,
    brokers: '127.0.0.1:9092',
    unreachableSince: null,
    noTopics: null,
    jobs: [aJob()],
    workers: [aWorker()],
    processes: [aProcess()],
    events: [],
    ...parts,
  }
}

/** Shows the views that a test gives it. */
export class MadeSource implements ViewSource {
  latest: PipelineView | null = null
  readonly #listeners = new Set<(view: PipelineView) => void>()

  /** How many listen now. */
  get listeners(): number {
    return this.#listeners.size
  }

  show(view: PipelineView): void {
    this.latest = view
    for (const listener of this.#listeners) listener(view)
  }

  subscribe(listener: (view: PipelineView) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
