import type { Registry } from 'prom-client'
import { isOpen } from '../../watch/phase.ts'
import type { JobRows, JobView } from '../../watch/view.ts'
import { addGauge, type SeriesSpec, type SetSeries } from './series.ts'

const STAGES: readonly (keyof JobRows)[] = ['total', 'published', 'classified', 'written', 'rejected']

interface JobSeriesSpec<J, L extends string> extends Omit<SeriesSpec<L>, 'fill'> {
  readonly fill: (job: J, set: SetSeries<L>) => void
}

/** How far a job is. Null: not known. */
export interface JobFigures extends Pick<JobView, 'id' | 'phase' | 'rows' | 'etaSeconds'> {
  /** Seconds since something of it moved, while rows of it wait; 0 if none wait. */
  readonly idleSeconds: number | null
}

/** Adds a gauge with series of each of these jobs. */
export function addJobGauge<J extends Pick<JobView, 'id'>, L extends string = never>(
  registry: Registry,
  jobs: () => readonly J[],
  { labels = [], fill, ...spec }: JobSeriesSpec<J, L>,
): void {
  addGauge<L | 'job_id'>(registry, {
    ...spec,
    labels: ['job_id', ...labels],
    fill: set => {
      for (const job of jobs())
        fill(job, (of, value) => set({ job_id: job.id, ...of } as Record<L | 'job_id', string>, value))
    },
  })
}

/** Adds how far these jobs are at each scrape. `rowmill monitor` says it of a pipeline, and `rowmill run` of its own job. */
export function addJobMetrics(registry: Registry, jobs: () => readonly JobFigures[]): void {
  const add = <L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[],
    fill: (job: JobFigures, set: SetSeries<L>) => void,
  ) => addJobGauge(registry, jobs, { name, help, labels, fill })
  add('rowmill_job_rows', 'Rows of a job at each stage.', ['stage'], ({ rows }, set) => {
    for (const stage of STAGES) set({ stage }, rows[stage])
  })
  add('rowmill_job_phase', '1 for the phase that a job is in.', ['phase'], ({ phase }, set) => set({ phase }, 1))
  add('rowmill_job_eta_seconds', 'Seconds until the slowest partition of a job is done.', [], ({ etaSeconds }, set) =>
    set({}, etaSeconds),
  )
  add(
    'rowmill_job_idle_seconds',
    'Seconds since something of a job moved, while rows of it wait; 0 if none wait.',
    [],
    ({ idleSeconds }, set) => set({}, idleSeconds),
  )
}

/** @param stillSeconds since when nothing of the job moved. Null: not known. */
export function idleSecondsOf(
  { phase, rows }: Pick<JobView, 'phase' | 'rows'>,
  stillSeconds: number | null,
): number | null {
  const { classified, written, rejected } = rows
  const isWriting = written !== null && classified !== null && written + (rejected ?? 0) < classified
  const waits = isOpen({ phase }) && (phase === 'stalled' || (backlogOf(rows) ?? 0) > 0 || isWriting)
  return waits ? stillSeconds : 0
}

/** Rows that are published and have no result. Null: not known. */
export function backlogOf({ published, classified }: JobRows): number | null {
  return published === null || classified === null ? null : Math.max(0, published - classified)
}
