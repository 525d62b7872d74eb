import type { JobOption, SourceIdentity, Values } from './model.ts'

/** What a source knows before its first row. */
export interface SourceHeader {
  /** The column names exactly as the source has them, before pandas renames duplicates. */
  readonly columns: readonly string[]
  /** The index kind: what pandas infers over the whole column (IndexKind). Null: workers force nothing. */
  readonly indexKind: string | null
  /** The file behind the source. Null: the input can be read only once, so nobody can resume its job. */
  readonly identity: SourceIdentity | null
  /** The number of rows, if the source knows it. It is a hint for progress, nothing depends on it. */
  readonly total: number | null
  /**
   * The bytes of the longest record, if the source has read all of them. Such a source can be read again: if that record may
   * be too long for the topic, `rows` is called once before, to find its line.
   */
  readonly longestBytes?: number
  /**
   * Options for the job record that follow from the input. A source with an identity should add `sourceDigest`: `sha256:`
   * and the digest of its bytes in hex. A job is resumed only with a source of the same digest. Without one, name, size
   * and time of the file must be the same.
   */
  readonly options: readonly JobOption[]
}

/** Consecutive rows. Both arrays have the same length. */
export interface SourceRows {
  readonly rows: readonly Values[]
  /**
   * The line in which each row begins, from 1. Lines grow from row to row. Messages name rows by them, or by their numbers
   * if the source does not know the lines: null.
   */
  readonly lines: readonly number[] | null
}

/** Consecutive rows as bytes, with the lines of `SourceRows`. */
export interface PackedSourceRows {
  readonly packed: PackedRows
  readonly lines: readonly number[] | null
}

/**
 * Where rows come from. One publisher calls it. It awaits each call before the next one, except `close`.
 *
 * `open` is called once, first. It reads the header. It throws if the input is unusable (INPUT_NOT_FOUND, ...). If it
 * counts the rows, it may report each count to `counted`: a run then starts as many workers as there is work for.
 *
 * `rows` is called once, after `open` (twice, if the header has `longestBytes`). It yields pieces of any length, each with at
 * least one row, and ends after the last row. It reads no further ahead than the publisher asks. It throws where the input
 * breaks: it must never end as if the input were complete. The publisher has already sent the rows before the break, and
 * fails the job.
 *
 * `packed` is for sources that read bytes, and saves the time to make texts of all cells. A source that has it gets this call
 * instead of `rows`. It yields the same rows, as bytes where it can. A piece of bytes need not outlive the next step of the
 * iterator.
 *
 * `published` is called once all rows and the end of the job are in Kafka. An earlier publisher of the job may have put
 * them there: then `rows` was not called. A source that confirms its input (to a queue, or to the sender of a connection)
 * does it here. Without this call the job failed, or the publisher was stopped. If it throws, the command fails, and the job
 * stays published. Only `close` follows. A source that confirms nothing needs no `published`.
 *
 * `close` is always called, also after `open` or `rows` threw, and in the middle of `rows`. It may be called more than
 * once. It may come while `open` or `rows` waits for input, from a signal for example. Then that call must end soon; how
 * it ends does not matter.
 *
 * `testSource` in `rowmill/testing` checks an implementation against this contract.
 */
export interface Source {
  open(counted?: (rows: number) => void): Promise<SourceHeader>
  rows(): AsyncIterable<SourceRows>
  packed?(): AsyncIterable<SourceRows | PackedSourceRows>
  published?(): Promise<void>
  close(): Promise<void>
}

/** The counts of a complete job: `rows` and `rejects` add up to the rows of the source. */
export interface JobSummary {
  readonly job: string
  readonly rows: number
  readonly rejects: number
  /** The rows that were written. With `--rows any` they may be fewer or more than `rows`. */
  readonly rowsOut: number
}

/**
 * Rows as they are in a message. For each row there is the number of its cells, then the length and the UTF-8 bytes of each
 * cell, then a 0. A number takes a byte for each 7 bits of its double, the lowest first. All but the last have 128 added:
 * 5 is 0a, 100 is c8 01. (It is Avro's way to write an array of arrays of strings: docs/wire-format.md.)
 */
export interface PackedRows {
  readonly bytes: Uint8Array
  /** How many rows. */
  readonly count: number
}

/** What a sink needs to know about the output: the columns of the results and the options of the job record. */
export interface SinkHeader {
  readonly columns: readonly string[]
  readonly options: readonly JobOption[]
}

/**
 * Where a collector writes. One collector calls it. It awaits each call before the next one.
 *
 * `open` is called once, first. It resolves with the note of the last checkpoint, or with null if there is none. It
 * restores the output to what it was at that checkpoint: it removes everything written later. Without a checkpoint it
 * should change nothing yet, because the job may be refused. It throws OUTPUT_UNUSABLE if it cannot restore the output, and
 * OUTPUT_LOCKED while another collector writes it.
 *
 * `restart` may be called after `open`, if the collector cannot resume from the note. It empties the output. If the sink says
 * `rewrites`, it may also be called after `write`, and `begin` follows again: later rows may show that pandas would have
 * written the cells of earlier ones in another way (integers beside floats, dates beside times). Without `rewrites` the job
 * then fails.
 *
 * `prepare` is called once, after `open`, when the job is found. It gets the options of the job record. It throws if there can
 * be no such output, so that nobody learns that only with the first result. An output without a checkpoint is emptied here,
 * or in `begin`.
 *
 * `begin` is called once, before the first `write`. Its header is that of the first result. After a checkpoint the
 * header is the one from before the checkpoint. It is null for a job without results. Such a job has no `write`.
 *
 * `write` takes rows in the order of the job, at least one. They are of one result. It may buffer them.
 *
 * `writePacked` is for sinks that write bytes, and saves the time to make texts of all cells. A sink that has it gets rows
 * either through `write` or through `writePacked`, from call to call, and the output must be the same. The bytes must not be
 * kept after it resolves.
 *
 * `checkpoint` resolves when everything written so far and the note survive a crash together. The note means nothing to
 * the sink. A sink that cannot resume does nothing here, and its `open` always resolves with null.
 *
 * `flush` is called only for a job that does not end, when there are no more rows for now. Readers of the output must
 * then see everything written. A sink that does not buffer needs no `flush`.
 *
 * `commit` is called once, after the last row of a complete job. Nothing may be visible under the final name before it.
 * If `signal` aborts, a slow commit should end with the signal's reason. The next collector then commits again.
 *
 * After any throw only `close` is called. `close` is always called, also after `open` threw. It may be called more than
 * once. Without a `commit` before it, nothing is visible under the final name, and the last checkpoint is still there.
 *
 * Two sinks cannot keep all of this. A sink that shows rows as they come (standard output, a socket) has no
 * final name. A sink of a job that does not end grows under its final name.
 *
 * `testSink` in `rowmill/testing` checks an implementation against this contract.
 */
export interface Sink {
  readonly rewrites?: boolean
  open(): Promise<string | null>
  prepare?(options: readonly JobOption[]): Promise<void>
  restart(): Promise<void>
  begin(header: SinkHeader | null): Promise<void>
  write(rows: readonly Values[]): Promise<void>
  writePacked?(rows: PackedRows): Promise<void>
  checkpoint(note: string): Promise<void>
  flush?(): Promise<void>
  commit(summary: JobSummary, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
