/** The SDK: what connectors and programs of your own may use. Nothing else is public. */
export type { Cell, Classifier } from './classifier/classifier.ts'
export type {
  JobSummary,
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
export type { ClassifiedRow, RejectedRow, ResultBatch, ResultsPosition } from './events/result-batch.ts'
export { type ResultsOptions, results } from './events/results.ts'
export {
  type Job,
  type JobOption,
  type JobState,
  type Kind,
  optionOf,
  type SourceIdentity,
  type Values,
} from './model.ts'
export { INDEX_KINDS, type IndexKind } from './pandas/index-kind.ts'
export { isPackedByNode, type Packing, packingOf } from './pandas/packing.ts'
export { checkToCsv, type SinkDialect } from './pandas/to-csv.ts'
export { type RunOptions, type RunReport, run } from './run.ts'
export { FileLock, type LockHolder, lockHolder } from './support/file-lock.ts'
