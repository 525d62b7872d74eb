import type { JobOption, SourceIdentity, Values } from './model.ts'

/** What a source knows before its first row. */
export interface SourceHeader {
  /** The header as it stands in the source. */
  readonly columns: readonly string[]
  /** What pandas infers for the index over the whole column, or null: nothing is forced. */
  readonly indexKind: string | null
  /** The file behind the source, or null where there is none to come back to. It should come with a `sourceDigest`. */
  readonly identity: SourceIdentity | null
  /** Rows in all, where the source knows: a hint for progress. */
  readonly total: number | null
  /**
   * Options for the job record that follow from what was read. `sourceDigest`, `sha256:` and the digest of the source in
   * hex, is what a job is known by when it is gone on with; without it the identity must be the same.
   */
  readonly options: readonly JobOption[]
}

/** A run of consecutive rows. The three arrays have the same length. */
export interface SourceRows {
  readonly rows: readonly Values[]
  /** The line in which each row begins, from 1. */
  readonly lines: readonly number[]
  /** The byte at which each row begins, in the (uncompressed) input. */
  readonly bytes: readonly number[]
}

/** Where to go on reading: the row at `seq` begins at byte `byte` in line `line`. */
export interface SourcePosition {
  readonly seq: number
  readonly byte: number
  readonly line: number
}

/**
 * Where rows come from. One publisher calls it, never twice at a time.
 *
 * `open` is called once, first; it reads the header and throws what makes the input unusable (INPUT_NOT_FOUND, ...). A
 * source that counts its rows in `open` may tell `counted` how many it has found so far: then a run starts its workers
 * meanwhile, and no more of them than there are blocks of rows. A source may ignore it.
 * `rows` is called once after `open`, with null for the first row or a position this source gave before. It yields
 * runs of any length, at least one row each, and ends after the last row. It reads no further ahead than the consumer
 * asks, and throws where the input breaks; what it yielded before stays valid.
 * After any throw only `close` is called. `close` is always called, also after a failed `open`, also in the middle of
 * `rows`.
 */
export interface Source {
  open(counted?: (rows: number) => void): Promise<SourceHeader>
  rows(from: SourcePosition | null): AsyncIterable<SourceRows>
  close(): Promise<void>
}

/** The counts of a complete job. rows + rejects + refused = rows in. */
export interface JobSummary {
  readonly job: string
  readonly rows: number
  readonly rejects: number
  readonly refused: number
}

/** What a sink needs to know of the output: the columns of the results and the options of the job record. */
export interface SinkHeader {
  readonly columns: readonly string[]
  readonly options: readonly JobOption[]
}

/**
 * Where a collector writes. One collector calls it, never twice at a time.
 *
 * `open` is called once and resolves with the note of the last checkpoint, the output being what it was then (what was
 * written behind it is taken back), or with null: then the output is empty. It throws OUTPUT_UNUSABLE where it cannot
 * make the output so, and OUTPUT_LOCKED where another collector is writing it.
 * `restart` may be called next, where the collector cannot go on from that note: the output is to be empty again.
 * `begin` is called once, before the first `write` and before `commit` of a job without rows, with the header of the
 * first result (of a job without results: null); behind a checkpoint with the header that was given then.
 * `write` may buffer. `checkpoint` resolves when everything written so far survives a crash together with the note, of
 * which nobody but the collector knows the meaning. A sink that cannot go on where it stopped does nothing in it.
 * `flush` is called while the output of a job that does not end is written, when there are no more rows for now: whoever
 * reads the output is to see what was written. A sink that buffers nothing needs none.
 * `commit` is called once, after the last row of a complete job; nothing may be visible under the final name before.
 * A commit that takes long should end with the reason of `signal` when that aborts, and is begun again later.
 * After any throw only `close` is called. `close` is always called, also after a failed `open`; without a `commit`
 * before it, nothing may stand under the final name, and the last checkpoint stays.
 */
export interface Sink {
  open(): Promise<string | null>
  restart(): Promise<void>
  begin(header: SinkHeader | null): Promise<void>
  write(rows: readonly Values[]): Promise<void>
  checkpoint(note: string): Promise<void>
  flush?(): Promise<void>
  commit(summary: JobSummary, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
