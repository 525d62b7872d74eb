import { FIRST_ROWS, plannedRows } from './sample.ts'

/** What was measured of a classifier, its input and the machine. */
export interface Measured {
  readonly rows: number
  readonly batchRows: number
  readonly cores: number
  /** At most how many rows the probe of the run tries. */
  readonly most: number
  /** Until the classifier is imported and ready. */
  readonly startSeconds: number
  /** Until the source was opened: pandas reads the whole file first. */
  readonly openSeconds: number
  /** What a call takes, apart from its rows. */
  readonly callSeconds: number
  /** What a row takes within a call. */
  readonly rowSeconds: number
  /** How long a second of CPU takes while other programs run. 1: nothing else runs. */
  readonly busy: number
}

export interface Estimate {
  /** The original job, in one process. */
  readonly oneProcessSeconds: number
  /** rowmill run, with 1, 2, ... workers. */
  readonly seconds: readonly number[]
}

/** CPU time that a row takes on its way through Kafka: of command, broker and workers together (bench/results.md). */
const TRANSPORT_SECONDS = 20e-6
/** Until a local Kafka has its topics, on a machine that does nothing else. Python starts meanwhile. */
const BROKER_SECONDS = 1.5
/** From the start of the command to its first step, and from the last row to its end, likewise. */
const COMMAND_SECONDS = 1

/** How long the whole job takes. A worker needs a core for itself, and the way through Kafka is shared by all cores. */
export function estimate(measured: Measured, workers: number): Estimate {
  const { rows, batchRows, cores, startSeconds, openSeconds, callSeconds, rowSeconds, busy } = measured
  const calls = Math.ceil(rows / batchRows)
  const work = calls * callSeconds + rows * rowSeconds
  const start = COMMAND_SECONDS * busy + Math.max(BROKER_SECONDS * busy, startSeconds, openSeconds)
  const transport = (rows * TRANSPORT_SECONDS * busy) / cores
  const probe = probeSeconds(measured)
  const withWorkers = (count: number) =>
    start + Math.max(probe, work / Math.min(count, cores, Math.max(1, calls)) + transport)
  return {
    oneProcessSeconds: startSeconds + callSeconds + rows * rowSeconds,
    seconds: Array.from({ length: workers }, (_, i) => withWorkers(i + 1)),
  }
}

/** The probe runs beside the job, and OUT waits for it. It starts the classifier, and gives it most rows twice. */
function probeSeconds({ rows, batchRows, most, startSeconds, callSeconds, rowSeconds }: Measured): number {
  if (rows <= batchRows || most === 0) return 0
  const planned = plannedRows({ most }, rows).reduce((sum, { from, to }) => sum + to - from, 0)
  const calls = (FIRST_ROWS + planned) / 2
  return startSeconds + calls * callSeconds + (FIRST_ROWS + 2 * planned) * rowSeconds
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

/** How long a second of CPU takes: computes for so many ms. */
export function measureBusy(ms: number): number {
  const [startedAt, before] = [performance.now(), process.cpuUsage()]
  while (performance.now() - startedAt < ms);
  const { user, system } = process.cpuUsage(before)
  return Math.max(1, ((performance.now() - startedAt) * 1000) / (user + system))
}
