import type { Kafka } from '../kafka/index.ts'
import type { Say } from '../support/say.ts'
import type { PipelineTracing } from '../tracing/tracing.ts'
import type { JobLog } from './job-log.ts'

/** A pipeline on a broker. Each part of rowmill works in one, and takes it as its first parameter. */
export interface PipelineContext {
  readonly kafka: Kafka
  /** The name of the pipeline. */
  readonly pipeline: string
  /** Its job log, open. Whoever opened it closes it. */
  readonly jobs: JobLog
  /** Logs a message for the user. */
  readonly say: Say
  /** Ends every wait with its reason. */
  readonly signal: AbortSignal
  /** Default: tracing is off. */
  readonly tracing?: PipelineTracing | null
}

/** The same before the job log is open. */
export type PipelineConnection = Pick<PipelineContext, 'kafka' | 'pipeline' | 'say' | 'tracing'>
