export interface PipelineTopics {
  readonly jobs: string
  readonly rows: string
  /** The rows of large jobs: those in `rows` go first. The pipeline of a single run has no such topic. */
  readonly bulk: string
  readonly results: string
  readonly rejects: string
  /** What commands say of themselves while they run. No guarantee rests on it, so a pipeline may lack it. */
  readonly reports: string
}

export function topicsOf(pipeline: string): PipelineTopics {
  return {
    jobs: `${pipeline}.jobs`,
    rows: `${pipeline}.rows`,
    bulk: `${pipeline}.bulk`,
    results: `${pipeline}.results`,
    rejects: `${pipeline}.rejects`,
    reports: `${pipeline}.reports`,
  }
}

/** The topics that rows travel in. `bulk`: whether the pipeline has that topic. */
export function rowTopics(pipeline: string, bulk: boolean): string[] {
  const topics = topicsOf(pipeline)
  return bulk ? [topics.rows, topics.bulk] : [topics.rows]
}

/** The consumer group of the workers. Each later attempt of a job has its own group. */
export function workersGroup(pipeline: string, reopened: { id: string; attempt: number } | null = null): string {
  const group = `${pipeline}.workers`
  return reopened !== null && reopened.attempt > 0 ? `${group}.${reopened.id}.${reopened.attempt}` : group
}

/** The pipeline of a `rowmill run` that was given none. The run deletes its topics at the end. */
export function pipelineOfRun(id: string): string {
  return `rowmill-${id}`
}

/** Whether a run made up this name. `id` is as `newJobId` makes them. */
export function isOfRun(pipeline: string): boolean {
  return /^rowmill-\d{8}T\d{6}-[0-9a-f]{6}$/.test(pipeline)
}
