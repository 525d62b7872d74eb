import type { KafkaOptions } from '../client-config/kafka-options.ts'
import { checkName } from '../core/names.ts'
import { TRACEPARENT } from '../kafka/index.ts'
import { OPTIONS } from '../options.ts'
import { JobLog } from '../pipeline/job-log.ts'
import type { Say } from '../support/say.ts'
import { connectSdk } from './connection.ts'
import type { ResultBatch, ResultsRequest } from './result-batch.ts'
import { resultBatches, unmarkedBatch } from './result-batches.ts'

export interface ResultsOptions extends ResultsRequest {
  /** `host:port` of one or more brokers: the short form of `kafka`. */
  readonly brokers?: readonly string[]
  /** The cluster, and how to reach it: TLS, login, properties of a Kafka client. */
  readonly kafka?: KafkaOptions
  /** The pipeline of the job. Default: rowmill. */
  readonly pipeline?: string
  /** The URL of a schema registry. Messages are then in Confluent wire format. */
  readonly schemaRegistry?: string | null
  /** How many seconds to retry while the broker does not answer. Default: 300. */
  readonly brokerTimeout?: number
  /** Told about outages, and about a job whose first rows are no longer there. */
  readonly say?: Say
  /** Ends every wait with its reason. */
  readonly signal?: AbortSignal
}

/**
 * The classified rows of one job, each once: in the order of their seq, or as they arrive if the job has no sequence.
 * Waits for a job that is not published yet. Ends when the job has ended and all its rows were returned. While nobody
 * asks for a batch, only bounded queues fill. Leaving the loop closes everything.
 *
 * If retention has deleted the first results of a job without end, begins with the first row that is complete from
 * there on. Throws the failure of the job, ROW_GAP, ROW_MALFORMED. Throws USAGE for a checkpoint of another job, or of an
 * attempt whose rejects a later one may have replaced: read that job from the start. Other readers of the job are not
 * affected.
 */
export async function* results(options: ResultsOptions): AsyncGenerator<ResultBatch, void, undefined> {
  const { pipeline = OPTIONS.sharedPipeline.fallback, say = () => {}, signal = new AbortController().signal } = options
  checkName('pipeline', pipeline)
  checkName('job', options.job)
  signal.throwIfAborted()
  const { kafka } = await connectSdk(
    'rowmill-results',
    { ...options, pipeline, headers: [TRACEPARENT] },
    { role: 'monitor', writes: false, say },
  )
  const jobs = await JobLog.open(kafka, pipeline, say)
  try {
    for await (const batch of resultBatches({ kafka, pipeline, jobs, say, signal }, options))
      yield unmarkedBatch(batch, jobs.peek(options.job)!.options)
  } finally {
    await jobs.close()
  }
}
