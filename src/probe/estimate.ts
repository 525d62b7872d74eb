/** What was measured of a classifier and its input. */
export interface Measured {
  readonly rows: number
  readonly batchRows: number
  readonly cores: number
  /** Until the classifier is imported and ready. */
  readonly startSeconds: number
  /** What a call takes, apart from its rows. */
  readonly callSeconds: number
  /** What a row takes within a call. */
  readonly rowSeconds: number
}

export interface Estimate {
  /** The original job, in one process. */
  readonly oneProcessSeconds: number
  /** rowmill run, with 1, 2, ... workers. */
  readonly seconds: readonly number[]
}

/** CPU time that a row takes on its way through Kafka: of command, broker and workers together (bench/results.md). */
const TRANSPORT_SECONDS = 20e-6
/** Until a local Kafka answers. Python starts meanwhile. */
const BROKER_SECONDS = 2

/** How long the whole job takes. A worker needs a core for itself, and the way through Kafka is shared by all cores. */
export function estimate(measured: Measured, workers: number): Estimate {
  const { rows, batchRows, cores, startSeconds, callSeconds, rowSeconds } = measured
  const calls = Math.ceil(rows / batchRows)
  const work = calls * callSeconds + rows * rowSeconds
  const start = Math.max(BROKER_SECONDS, startSeconds)
  const withWorkers = (count: number) =>
    start + work / Math.min(count, cores, Math.max(1, calls)) + (rows * TRANSPORT_SECONDS) / cores
  return {
    oneProcessSeconds: startSeconds + callSeconds + rows * rowSeconds,
    seconds: Array.from({ length: workers }, (_, i) => withWorkers(i + 1)),
  }
}

/** What a call takes apart from its rows, and what each row takes, from one call with one row and one with many. */
export function callAndRow(
  one: number,
  many: { rows: number; seconds: number },
): Pick<Measured, 'callSeconds' | 'rowSeconds'> {
  if (many.rows < 2) return { callSeconds: 0, rowSeconds: one }
  const rowSeconds = Math.max(0, Math.min((many.seconds - one) / (many.rows - 1), many.seconds / many.rows))
  return { rowSeconds, callSeconds: Math.max(0, many.seconds - many.rows * rowSeconds) }
}
