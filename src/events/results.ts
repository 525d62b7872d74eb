import { checkName } from '../core/names.ts'
import { OPTIONS } from '../options.ts'
import { JobLog } from '../pipeline/job-log.ts'
import type { Say } from '../support/say.ts'
import { connectSdk } from './connection.ts'
import type { ResultBatch, ResultsRequest } from './result-batch.ts'
import { resultBatches } from './result-batches.ts'

export interface ResultsOptions extends ResultsRequest {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** The pipeline of the job. Default: rowmill. */
  readonly pipeline?: string
  /** The URL of a schema registry, where messages are in Confluent wire format. */
  readonly schemaRegistry?: string | null
  /** How long to go on trying while the broker does not answer, in seconds. Default: 300. */
  readonly brokerTimeout?: number
  /** Told of outages, and where a job is begun later than with its first row. */
  readonly say?: Say
  /** Ends every wait with its reason. */
  readonly signal?: AbortSignal
}

/**
 * The classified rows of one job, in order and none twice, as they come: by seq, or as they arrive where the job has no
 * sequence. Waits for a job that is not published yet. Ends when a job has ended and all its rows were given. Nothing is
 * read while no batch is asked for, but for bounded queues; leaving the loop closes everything.
 *
 * A job that does not end, and whose first results retention has taken, is begun at the first row from which on all are
 * there. Throws what the job failed with; ROW_GAP, ROW_MALFORMED; USAGE for a position that is not of this job, or of an
 * attempt whose rejects a later one may have replaced: read that from the start. Others that read the job go on.
 */
export async function* results(options: ResultsOptions): AsyncGenerator<ResultBatch, void, undefined> {
  const { pipeline = OPTIONS.sharedPipeline.fallback, say = () => {}, signal = new AbortController().signal } = options
  checkName('pipeline', pipeline)
  checkName('job', options.job)
  signal.throwIfAborted()
  const { kafka } = await connectSdk('rowmill-results', { ...options, pipeline }, { writes: false, say })
  const jobs = await JobLog.open(kafka, pipeline, say)
  try {
    yield* resultBatches({ kafka, pipeline, jobs, say, signal }, options)
  } finally {
    await jobs.close()
  }
}
