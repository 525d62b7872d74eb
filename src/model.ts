/**
 * The words of rowmill as types. docs/glossary.md has the same list; a test compares them.
 *
 * pipeline        a named set of topics, `<pipeline>.jobs`, `.rows`, `.bulk`, `.results`, `.rejects` and `.reports`, and the
 *                 workers that serve it with one classifier
 * job             the rows of one input, with one header; its id is used once
 * state           what `jobs` says of a job: open, ended, failed or cancelled
 * run             one execution of `rowmill run`: it publishes, classifies and collects one job
 * header          the column names of a job; they travel in the job record
 * row             the values of one CSV record of the source, or of one event, as text
 * CSV record      the text of one row in a CSV file; it may have several lines
 * message         what Kafka keeps at one offset; Kafka calls it a record
 * record          the content of a message: a Job, Rows, EndOfInput, Result or Reject
 * seq             the number of a row within its job: 0, 1, 2, ...
 * block           `blockRows` consecutive rows; block k goes to partition `k mod partitions`
 * position        the number of a row of a sequenced job within its partition: 0, 1, 2, ...
 * offset          the number of a message within a partition of a topic, counted by Kafka
 * sequenced       of a job: its rows have a seq. Rows of a job without sequence have no number, so the offset of the
 *                 message takes the place of seq and position
 * bulk            the topic for the rows of large jobs: more than 1,000 rows, or an unknown number. Workers serve the topic
 *                 `rows` first
 * source          where a publisher reads rows: a file, or your program
 * sink            where a collector writes rows: a file, or your program
 * publisher       appends the rows of a job to a topic; the publisher of an event job is called its producer
 * worker          reads rows, calls the classifier, appends results, then commits offsets
 * lender          a worker that classifies a batch of another worker of its supervisor. That one is the owner of the
 *                 batch: it sends the results and commits
 * membership      the place of a worker in a consumer group, or in a `run` of its own, with the partitions assigned to it.
 *                 They change at each rebalance
 * share           the partitions that the supervisor of a `run` gives to one of its workers, where no consumer group does
 * collector       reads results in order and writes them to a sink
 * classifier      your function, in a process or thread of its own
 * batch           the rows that the classifier gets in one call
 * result          what the classifier made of consecutive positions; it has the partition number of its rows
 * output row      a row that the classifier returned: one for each row, or any number with `--rows any`
 * kind            the type of the values of one output column within one result, such as integer, float or text
 * index kind      the type that pandas infers for the index over the whole column (`--index-kind`)
 * recipe          how a worker makes the frame of a batch as a part of the file that pandas read as a whole (`--read`)
 * cast            the dtype that you name for an output column; its kinds are not compared
 * reject          a row without a result, with the reason; it keeps its position. Elsewhere called a dead letter
 * budget          how many rows of a job may be rejects before the job fails (`--max-rejects`)
 * end of input    the message that closes one partition of a job and says how many rows the job has
 * complete        of a job: all ends of input agree, and every row has a result or is a reject
 * low-water mark  in a partition, the lowest offset of a message with a row that has no acknowledged result; a worker
 *                 commits this offset and none above it
 * checkpoint      what a collector needs to resume: the bytes written, their digest, and its note
 * note            the text that a collector gives a sink with each checkpoint: where to read on in `results`
 * frame           on a TCP connection and between a worker and its classifier: a length in 4 bytes, and as many bytes
 * attempt         one pass of the workers over a job, counted from 0; a later one classifies only rows that have no
 *                 result
 * epoch           the period in which one producer owns an event job. Epochs count from 0; a newer producer begins the
 *                 next one
 * barrier         the first message of an epoch in a partition; messages of older epochs after it do not count
 * takeover point  a job record that says: all rows below this seq are safe, and the others begin at these offsets
 *
 * The five records below travel on Kafka as Avro (schemas/*.avsc, docs/wire-format.md). Nullable fields are null,
 * never absent. Offsets, counts and byte sizes are whole numbers below 2^53.
 */

/**
 * The values of one row, as text, in the order of the header. As in the file they came from, a row may have fewer
 * values than the header has columns: whoever parses the row pads it, as pandas does.
 */
export type Values = readonly string[]

export type JobState = 'open' | 'ended' | 'failed' | 'cancelled'

/** Why a job failed or was cancelled. `code` is one of errors.ts, `place` a row, line or partition in words. */
export interface Reason {
  readonly code: string
  readonly place: string | null
  readonly message: string
}

/** The file that a job was read from. A job is resumed only with the same file, if no digest of its bytes is known. */
export interface SourceIdentity {
  readonly name: string
  readonly size: number
  readonly mtimeMs: number
}

export interface JobOption {
  readonly name: string
  readonly value: string
}

/** The value of an option of a job, or undefined if the job record has none of that name. */
export function optionOf(options: readonly JobOption[], name: string): string | undefined {
  return options.find(option => option.name === name)?.value
}

/** What the topic `jobs` says about a job: the fold of its records in log order. The first record fixes what never changes. */
export interface Job {
  readonly id: string
  readonly epoch: number
  readonly attempt: number
  readonly state: JobState
  readonly reason: Reason | null
  /** The header as it is in the source, before pandas renames duplicates. */
  readonly columns: readonly string[]
  readonly sequenced: boolean
  readonly bounded: boolean
  readonly partitions: number
  readonly blockRows: number
  /** The topic its rows travel in. */
  readonly topic: string
  /** The lowest seq not found when this epoch began. */
  readonly from: number
  /** The number of rows, as a hint for progress. The ends of input decide. */
  readonly total: number | null
  /** Per partition, the end offset of the rows topic before the first row of the job. */
  readonly rowsFrom: readonly number[]
  /** Per partition, the end offset of the results topic before the first row of the job. */
  readonly resultsFrom: readonly number[]
  readonly source: SourceIdentity | null
  /** What pandas infers for the index over the whole column (IndexKind). Null: workers force nothing. */
  readonly indexKind: string | null
  /** Everything that affects the output bytes: `readCsv`, `toCsv` and `cast` as JSON texts. Also `sourceDigest`. */
  readonly options: readonly JobOption[]
  /** Milliseconds since 1970. */
  readonly at: number
  readonly by: string
}

/** 1 to `blockRows` consecutive rows of one block. */
export interface Rows {
  readonly job: string
  readonly epoch: number
  readonly from: number
  /** The seq of the first row, or null in a job without sequence. */
  readonly seq: number | null
  readonly count: number
  /** The line of the source in which the first row begins, from 1. */
  readonly line: number | null
  /** The number of lines from each row to the next: `count` numbers. Null if every row takes one line. */
  readonly lineSteps: readonly number[] | null
  readonly rows: readonly Values[]
}

/** Closes one partition of a bounded job. */
export interface EndOfInput {
  readonly job: string
  readonly epoch: number
  readonly from: number
  readonly attempt: number
  readonly partition: number
  /** Rows of the job in this partition. */
  readonly rows: number
  /** Rows of the job in all partitions. */
  readonly total: number
}

/** A row of a result that could not be classified. `index` counts from the first position of the result. */
export interface Rejected {
  readonly index: number
  readonly seq: number | null
  readonly line: number | null
  readonly reason: string
  readonly detail: string
  readonly values: Values
}

/** The outcome of `count` consecutive positions of one partition. `rows` has their output rows; rejects have none. */
export interface Result {
  readonly job: string
  readonly epoch: number
  readonly from: number
  readonly attempt: number
  /** The first position. In a job without sequence it is the offset of the input. */
  readonly first: number
  readonly count: number
  /** The offset of the input message that holds the first position. */
  readonly offset: number
  /** The classifier's fingerprint, 8 bytes. */
  readonly classifier: Uint8Array
  readonly by: string
  /** The columns of the output. If the output has an index, its label comes first. */
  readonly columns: readonly string[]
  /** One Kind for each column. */
  readonly kinds: readonly string[]
  readonly rejected: readonly Rejected[]
  /** For each position, the number of its output rows. Null: one for each, except for rejects. */
  readonly outputs: readonly number[] | null
  /** The cells of the output rows, unquoted. */
  readonly rows: readonly Values[]
  /** Where the trace of its batch continues: a header of its message, not a field. Only where the reader asked for that header. */
  readonly traceparent?: string
}

/** A copy of a rejected row, for alerting. For a message without a job, or a malformed one, it is the only trace. */
export interface Reject {
  readonly job: string | null
  readonly epoch: number | null
  readonly attempt: number | null
  readonly seq: number | null
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly index: number
  readonly line: number | null
  readonly reason: string
  readonly detail: string
  readonly values: Values | null
  readonly raw: Uint8Array | null
  readonly by: string
}

/**
 * The type of the values of an output column, over the rows of one result:
 * - `empty`: nothing but missing values. `missing`: such that make objects of numbers beside them (`pd.NA`)
 * - `negative`, `unsigned`: integers, one of them below 0, or beyond int64
 * - `integer`, `float`, `boolean`, `text`: all values present are of that kind
 * - `whole`: floats with at least one whole number, which may have been an integer before pandas made it a float
 * - `object integer`, `object float`: the same in an object column, whose values pandas writes as they are
 * - `mixed`: anything else in an object column. `mixed float`: with floats, and without integers
 * - `dropped float`: floats of a batch whose rows were all dropped
 * - `Int64`, `Int64 missing`, `Int64 long`: nullable integers; one of them missing; none missing, and one beyond 2^53
 * - any other word: the name of the dtype (`datetime64[ns]`, `category`, ...)
 */
export type Kind = string

/** A rows message without its values. */
export type RowsHead = Omit<Rows, 'rows'>

/** A rows message without rows. After it, messages of older epochs in its partition do not count. */
export type Barrier = Rows & { readonly count: 0 }

/** The barrier with this head, or null if the head belongs to other rows. */
export function barrierOf(head: RowsHead): Barrier | null {
  return head.count === 0 ? { ...head, count: 0, rows: [] } : null
}
