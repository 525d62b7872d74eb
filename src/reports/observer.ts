import type { ReportedParts } from './report.ts'

/** What one worker did lately, as an observer hears of it. */
export interface ObservedWork {
  /** Rows that were rejected, by reason. */
  readonly rejected: Readonly<Record<string, number>>
  /** How long each batch took in each of BATCH_STAGES, in ms. */
  readonly timings: readonly (readonly [queue: number, classify: number, send: number])[]
}

/** Who observes a command from within, such as its metrics. Nothing waits for it, and it throws nothing. */
export interface Observer {
  /** From now on `look` says what the parts of the command do. */
  watch(look: () => ReportedParts): void
  /** The command is not ready before this has come: `the classifier is imported`. */
  needs(what: string, coming: Promise<unknown>): void
  /** The topics of the pipeline are there, and this client reaches them. */
  connected(kafka: object, pipeline: string): void
  /** So many rows were sent to the broker so far, acknowledged or not. */
  sent(rows: number): void
  /** So many rows with a result were read so far, in order or not. */
  arrived(rows: number): void
  /** The ordered output waited for so many seconds for a row, which came. */
  waited(seconds: number): void
  worked(work: ObservedWork): void
  /** Rows were rejected, by reason. */
  rejected(byReason: Readonly<Record<string, number>>): void
}
