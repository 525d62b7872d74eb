/** The SDK. `rowmill/connectors` and `rowmill/testing` are its other two parts. Nothing else is public. */
export type { Cell, Classifier } from './classifier/classifier.ts'
export type { KafkaOptions } from './client-config/kafka-options.ts'
export type {
  JobSummary,
  PackedRows,
  PackedSourceRows,
  Sink,
  SinkHeader,
  Source,
  SourceHeader,
  SourceRows,
} from './connector.ts'
export { type ErrorCode, type ErrorFacts, EXIT_CODES, RowmillError } from './errors.ts'
export type { EventFormat, OpenJobOptions } from './events/event-options.ts'
export type { EventRow, EventValue } from './events/event-row.ts'
export { type EventJob, openJob } from './events/open-job.ts'
export type { ClassifiedRow, RejectedRow, ResultBatch, ResultsCheckpoint } from './events/result-batch.ts'
export { type ResultsOptions, results } from './events/results.ts'
export type { SaslSettings, TlsSettings } from './kafka/security.ts'
export {
  type Job,
  type JobOption,
  type JobState,
  type Kind,
  optionOf,
  type SourceIdentity,
  type Values,
} from './model.ts'
export { type RunOptions, type RunReport, run } from './run.ts'
