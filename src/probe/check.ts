import type { Source } from '../connector.ts'
import { newJob } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import type { Job, JobOption } from '../model.ts'
import type { Say } from '../support/say.ts'
import { isReject, type NoResult } from './compare.ts'
import { CUTS } from './cuts.ts'
import { callAndRow, type Estimate, estimate, type Measured, measureBusy } from './estimate.ts'
import { afterEarlier, type Judgement, judge } from './judge.ts'
import { type FreshClassifier, judgeMemory } from './memory.ts'
import { AT_ONCE_ROWS, FIRST_ROWS, firstOf, type Sample } from './sample.ts'
import { SampledSource } from './sampled-source.ts'
import { TimedTrials } from './timed-trials.ts'
import { type Trial, Trials } from './trials.ts'

/** How long we look whether the machine is busy, before and after the trials. */
const BUSY_MS = 300
/** A check that takes longer says so before. */
const LONG_SECONDS = 30

export interface CheckOptions {
  readonly source: Source
  readonly classifier: FreshClassifier
  /** Options of the job, as `run` would put them into the job record. */
  readonly options: readonly JobOption[]
  /** At most how many rows to try. */
  readonly most: number
  readonly batchRows: number
  /** Up to how many workers to estimate. */
  readonly workers: number
  readonly cores: number
  readonly timeoutMs: number
  readonly say: Say
}

/** A tried row that has no result even with all rows at once, or alone. */
export interface TriedReject extends NoResult {
  readonly seq: number
  readonly line: number | null
}

/** How long the job takes. */
export interface Timing extends Omit<Measured, 'rows'>, Estimate {}

export interface Checked extends Judgement {
  /** Null if there is a fault: `run` would end with it. */
  readonly timing: Timing | null
  readonly rejected: readonly TriedReject[]
  /** How many rows the source has. */
  readonly rows: number
  /** How many rows were tried. */
  readonly probed: number
  readonly calls: number
}

/** Tries some rows of a source whole and in other cuts, and estimates how long all of them take. No broker is needed. */
export async function check(options: CheckOptions): Promise<Checked> {
  const { classifier, batchRows, cores, most, workers, timeoutMs } = options
  const before = measureBusy(BUSY_MS)
  await classifier.start()
  const { startSeconds } = classifier
  const { job, sample, rows, openSeconds } = await sampled(options)
  const trials = new TimedTrials(new Trials({ classifier, job, timeoutMs }))
  const { judgement, tried } = await judgeInStages(trials, { classifier, job, sample, say: options.say })
  const whole = await trials.whole(tried)
  const { length: probed } = tried.rows
  const found = { ...judgement, rejected: rejectedOf(tried, whole), rows, probed }
  if (judgement.fault !== null) return { ...found, timing: null, calls: trials.calls }
  const one = trials.rowAloneSeconds ?? whole.seconds
  const measured = {
    batchRows,
    cores,
    most,
    startSeconds,
    openSeconds,
    busy: (before + measureBusy(BUSY_MS)) / 2,
    ...callAndRow(one, { rows: probed, seconds: whole.seconds }),
  }
  return { ...found, timing: { ...measured, ...estimate({ ...measured, rows }, workers) }, calls: trials.calls }
}

async function sampled({
  source,
  options,
  most,
  batchRows,
}: CheckOptions): Promise<{ job: Job; sample: Sample; rows: number; openSeconds: number }> {
  const sampling = new SampledSource(source, { most, share: false })
  const startedAt = performance.now()
  const header = await sampling.open()
  const openSeconds = (performance.now() - startedAt) / 1000
  for await (const _ of sampling.packed());
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
  return { job, sample, rows: sampling.total, openSeconds }
}

/** The judgement of the first rows and then of all, or of the first alone if they have a fault, and which rows were tried. */
async function judgeInStages(
  trials: TimedTrials,
  { classifier, job, sample, say }: { classifier: FreshClassifier; job: Job; sample: Sample; say: Say },
): Promise<{ judgement: Judgement; tried: Sample }> {
  const { length: count } = sample.rows
  const judgeFirst = async (rows: Sample) =>
    judgeMemory(await judge(trials, { job, sample: rows }), { classifier, trials, job, sample: rows })
  if (count <= AT_ONCE_ROWS) return { judgement: await judgeFirst(sample), tried: sample }
  const few = firstOf(sample, FIRST_ROWS)
  void trials.first.then(({ seconds }) => {
    const expected = (seconds / FIRST_ROWS) * (FIRST_ROWS + count) * (1 + CUTS.length)
    if (expected > LONG_SECONDS)
      say(
        `to try ${count} rows in ${1 + CUTS.length} cuts takes about ${Math.round(expected)} s: --probe N tries fewer`,
      )
  })
  const first = await judgeFirst(few)
  if (first.fault !== null) return { judgement: first, tried: few }
  const all = await judge(trials, { job, sample })
  return { judgement: afterEarlier(first, all), tried: sample }
}

function rejectedOf({ seqs, lines }: Sample, { rows }: Trial): TriedReject[] {
  return rows.flatMap((row, at) => (isReject(row) ? [{ seq: seqs[at]!, line: lines[at]!, ...row }] : []))
}
