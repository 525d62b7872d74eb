/** The SDK: what connectors and programs of your own may use. Nothing else is public. */
export type { Cell, Classifier } from './classifier/classifier.ts'
export type {
  JobSummary,
  Sink,
  SinkHeader,
  Source,
  SourceHeader,
  SourcePosition,
  SourceRows,
} from './connector.ts'
export { type ErrorCode, type ErrorFacts, EXIT_CODES, RowmillError } from './errors.ts'
export { type EventJob, openJob } from './event-job.ts'
export type { EventFormat, OpenJobOptions } from './event-options.ts'
export type { EventRow, EventValue } from './event-row.ts'
export { FileLock, type LockHolder, lockHolder } from './file-lock.ts'
export { INDEX_KINDS, type IndexKind } from './index-kinds.ts'
export {
  type Job,
  type JobOption,
  type JobState,
  type Kind,
  optionOf,
  type SourceIdentity,
  type Values,
} from './model.ts'
export { isPackedByNode, type Packing, packingOf } from './packing.ts'
export { type ResultsOptions, results } from './read-results.ts'
export type { ClassifiedRow, RejectedRow, ResultBatch, ResultsPosition } from './result-batch.ts'
export { type RunOptions, type RunReport, run } from './run.ts'
export { checkToCsv, type SinkDialect } from './to-csv.ts'
