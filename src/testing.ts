/**
 * The test kit, `rowmill/testing`: what a classifier makes of rows, as in production but without a broker, and whether a
 * source, a sink or a classifier keeps its contract. It works in any test framework: what is wrong is thrown.
 */
export type { Cell, Classifier } from './classifier/classifier.ts'
export type { PackedRows, Sink, SinkHeader, Source, SourceHeader, SourceRows } from './connector.ts'
export type { Values } from './model.ts'
export { type ClassifierContract, testClassifier } from './testing/classifier-contract.ts'
export {
  type Cut,
  differsByCut,
  type TestClassifierOptions,
  type TestPipelineOptions,
  testPipeline,
} from './testing/pipeline.ts'
export type { TestReject, TestResult } from './testing/result.ts'
export { type SinkContract, testSink } from './testing/sink-contract.ts'
export { type SourceContract, testSource } from './testing/source-contract.ts'
