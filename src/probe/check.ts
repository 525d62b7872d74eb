import type { BatchClassifier } from '../classifier/boundary.ts'
import type { Source } from '../connector.ts'
import { newJob } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import type { Job, JobOption } from '../model.ts'
import { isReject, type NoResult } from './compare.ts'
import { WHOLE } from './cuts.ts'
import { callAndRow, type Estimate, estimate, type Measured } from './estimate.ts'
import { type Judgement, judge } from './judge.ts'
import { AT_ONCE_ROWS, FIRST_ROWS, firstOf, type Sample } from './sample.ts'
import { SampledSource } from './sampled-source.ts'
import { type Trial, Trials } from './trials.ts'

/** How often a call is timed. The fastest counts: others may have waited for a core. */
const TIMED = 3

export interface CheckOptions {
  readonly source: Source
  readonly classifier: BatchClassifier
  /** Options of the job, as `run` would put them into the job record. */
  readonly options: readonly JobOption[]
  /** At most how many rows to try. */
  readonly most: number
  readonly batchRows: number
  /** Up to how many workers to estimate. */
  readonly workers: number
  readonly cores: number
  readonly timeoutMs: number
}

/** A tried row that has no result even with all rows at once, or alone. */
export interface TriedReject extends NoResult {
  readonly seq: number
  readonly line: number | null
}

export interface Checked extends Judgement, Measured, Estimate {
  readonly rejected: readonly TriedReject[]
  /** How many rows were tried. */
  readonly probed: number
  readonly calls: number
}

/** Tries some rows of a source whole and in other cuts, and estimates how long all of them take. No broker is needed. */
export async function check(options: CheckOptions): Promise<Checked> {
  const { classifier, batchRows, cores, workers, timeoutMs } = options
  const startedAt = performance.now()
  await classifier.start()
  const startSeconds = (performance.now() - startedAt) / 1000
  const { job, sample, rows } = await sampled(options)
  const trials = new Trials({ classifier, job, timeoutMs })
  const judgement = await judgeInStages(trials, job, sample)
  const { whole, ...times } = await timed(trials, sample)
  const measured = { rows, batchRows, cores, startSeconds, ...times }
  const tried = { rejected: rejectedOf(sample, whole), probed: sample.rows.length, calls: trials.calls }
  return { ...judgement, ...measured, ...estimate(measured, workers), ...tried }
}

async function sampled({
  source,
  options,
  most,
  batchRows,
}: CheckOptions): Promise<{ job: Job; sample: Sample; rows: number }> {
  const sampling = new SampledSource(source, { most, share: false })
  const header = await sampling.open()
  for await (const _ of sampling.rows());
  const sample = await sampling.all
  if (sample.rows.length === 0) throw new RowmillError('INPUT_EMPTY', 'the input has no rows to try')
  const job = newJob({
    id: 'check',
    columns: header.columns,
    partitions: 1,
    blockRows: batchRows,
    topic: 'rows',
    total: header.total,
    rowsFrom: [0],
    resultsFrom: [0],
    indexKind: header.indexKind,
    options: [...header.options, ...options],
    at: 0,
    by: 'check',
  })
  return { job, sample, rows: sampling.total }
}

async function judgeInStages(trials: Trials, job: Job, sample: Sample): Promise<Judgement> {
  if (sample.rows.length <= AT_ONCE_ROWS) return await judge(trials, { job, sample })
  const first = await judge(trials, { job, sample: firstOf(sample, FIRST_ROWS) })
  if (first.fault !== null) return first
  const all = await judge(trials, { job, sample })
  return { fault: all.fault, unstable: [...new Set([...first.unstable, ...all.unstable])] }
}

async function timed(
  trials: Trials,
  sample: Sample,
): Promise<Pick<Measured, 'callSeconds' | 'rowSeconds'> & { whole: Trial }> {
  const fastest = async (rows: number) => {
    const some = firstOf(sample, rows)
    let best = await trials.classify(some, WHOLE)
    for (let i = 1; i < TIMED; i++) {
      const trial = await trials.classify(some, WHOLE)
      if (trial.seconds < best.seconds) best = trial
    }
    return best
  }
  const { length: rows } = sample.rows
  const one = await fastest(1)
  const whole = await fastest(rows)
  return { whole, ...callAndRow(one.seconds, { rows, seconds: whole.seconds }) }
}

function rejectedOf({ seqs, lines }: Sample, { rows }: Trial): TriedReject[] {
  return rows.flatMap((row, at) => (isReject(row) ? [{ seq: seqs[at]!, line: lines[at]!, ...row }] : []))
}
