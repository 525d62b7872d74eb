import type { BatchClassifier } from '../classifier/boundary.ts'
import type { Classifier } from '../classifier/classifier.ts'
import { decoding } from '../classifier/decoding.ts'
import { IsolatingClassifier } from '../classifier/isolating.ts'
import { FunctionClassifier } from '../classifier/module/function.ts'
import { openClassifier } from '../classifier/open.ts'
import type { Batch } from '../core/batcher.ts'
import { RowmillError } from '../errors.ts'
import { OPTIONS } from '../options.ts'
import { describeDifference, describeRefused, type Named } from './difference.ts'
import { classifyInMemory } from './in-memory.ts'
import type { TestResult } from './result.ts'
import { type TestJobOptions, testJob } from './test-job.ts'

/** How rows become batches. */
export interface Cut {
  /** As `--batch-rows`. Default: 100. */
  readonly batchRows?: number
  /** Consecutive rows that travel together. Default: `batchRows`, as from a CSV file. Live events have 1. */
  readonly blockRows?: number
  /** Partitions of the rows topic. Default: 8. A batch is of one partition. */
  readonly partitions?: number
  /** Whether readers get the cells as the batches had them. Default: false, as in a file, whose columns that drift are written again. */
  readonly live?: boolean
}

export interface TestClassifierOptions extends TestJobOptions {
  /** What `--classifier` takes (`black_box.py`, `black-box.ts:NAME`, `package.module:NAME`), or a function. */
  readonly classifier: string | Classifier
  /** The interpreter of a Python classifier. Default: that of ROWMILL_PYTHON, as for the command, or `python3`. */
  readonly python?: string
  /** As `--batch-timeout`, in seconds. A function given directly must be async to be timed. */
  readonly batchTimeout?: number
  /** As `--classifier-memory`, in MB. */
  readonly classifierMemory?: number
  /** Called with the output of the classifier. Default: it goes to standard error. */
  readonly onOutput?: (text: string) => void
}

export interface TestPipelineOptions extends TestClassifierOptions, Cut {}

/**
 * Runs a classifier over rows, with the same batches, DataFrames, cells and rejects as with a broker. A row at which the
 * classifier fails is among the rejects. An error that would end the job is thrown as RowmillError (KIND_DRIFT,
 * CLASSIFIER_NOT_FOUND, USAGE, ...).
 */
export async function testPipeline(options: TestPipelineOptions): Promise<TestResult> {
  return withClassifier(options, { act: classifier => classifyCut(classifier, options, options) })
}

/** Every row alone, batches that end in odd places, those of a CSV file, and those of live events. */
const CUTS: readonly Cut[] = [
  ...[1, 7, 100].map(batchRows => ({ batchRows })),
  { batchRows: 100, blockRows: 1, live: true },
]

/**
 * Runs a classifier over all rows at once, as the original job did, and then in each of `cuts`. Resolves with the first
 * difference in words, or null. A function of single rows has none: `assert.equal(await differsByCut({ ... }), null)`.
 *
 * A difference is another cell, column or kind, a row that only some cuts reject, or rows that have a result each but not
 * together. Throws as `testPipeline` does, except KIND_DRIFT and BATCH_DEPENDENT.
 */
export async function differsByCut(
  options: TestClassifierOptions,
  cuts: readonly Cut[] = CUTS,
): Promise<string | null> {
  const whole: Cut = { batchRows: Math.max(1, options.rows.length), partitions: 1 }
  let refused: string | null = null
  const onRefusedTogether = (batch: Batch, error: RowmillError) => {
    refused ??= describeRefused(batch, error)
  }
  const act = async (classifier: BatchClassifier) => {
    const outcome = async (cut: Cut, name: string): Promise<Named> => {
      refused = null
      const result = await classifyCut(classifier, options, cut).catch(error => {
        if (error?.code === 'KIND_DRIFT' || error?.code === 'BATCH_DEPENDENT') return error as Error
        throw error
      })
      return { name, result, refused }
    }
    const before = await outcome(whole, 'all rows at once')
    for (const cut of cuts) {
      const difference = describeDifference(before, await outcome(cut, nameOf(cut)))
      if (difference !== null) return difference
    }
    return null
  }
  return withClassifier(options, { act, onRefusedTogether })
}

function nameOf({ batchRows = OPTIONS.batchRows.fallback, blockRows = batchRows, live = false }: Cut): string {
  const batches = batchRows === 1 ? 'batches of 1 row' : `batches of up to ${batchRows} rows`
  if (live) return `live events in ${batches}`
  return blockRows === batchRows ? batches : `${batches} in blocks of ${blockRows}`
}

async function classifyCut(
  classifier: BatchClassifier,
  options: TestClassifierOptions,
  { batchRows = OPTIONS.batchRows.fallback, blockRows = batchRows, partitions = 8, live = false }: Cut,
): Promise<TestResult> {
  for (const [name, value] of Object.entries({ batchRows, blockRows, partitions })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new RowmillError('USAGE', `${name} ${value}: must be a whole number from 1`)
  }
  const job = testJob(options, { partitions, blockRows })
  const { rejected, ...result } = await classifyInMemory(job, options.rows, { classifier, batchRows, live })
  const rejects = rejected.map(({ seq, reason, detail, values }) => ({ seq: seq!, reason, detail, values }))
  return { ...result, rejects }
}

async function withClassifier<T>(
  options: TestClassifierOptions,
  {
    act,
    onRefusedTogether = () => {},
  }: {
    act: (classifier: BatchClassifier) => Promise<T>
    onRefusedTogether?: (batch: Batch, error: RowmillError) => void
  },
): Promise<T> {
  const {
    classifier: target,
    python = process.env['ROWMILL_PYTHON'] || OPTIONS.python.fallback,
    classifierMemory = null,
  } = options
  const { batchTimeout = OPTIONS.batchTimeout.fallback } = options
  const onOutput = options.onOutput ?? ((text: string) => void process.stderr.write(text))
  const by = 'test'
  const classifier = new IsolatingClassifier({
    open: () =>
      typeof target === 'function'
        ? decoding(new FunctionClassifier(target), by)
        : openClassifier({ target, python, by, memoryMB: classifierMemory, onOutput }),
    timeoutMs: batchTimeout * 1000,
    by,
    say: message => onOutput(`${message}\n`),
    onRefusedTogether,
  })
  try {
    return await act(classifier)
  } finally {
    await classifier.close()
  }
}
