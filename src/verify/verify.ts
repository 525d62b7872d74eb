import type { SinkHeader } from '../connector.ts'
import { jobFailure } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import { misplacement, placeOf } from '../core/sequence.ts'
import type { CellChanges } from '../core/whole-columns.ts'
import { RowmillError } from '../errors.ts'
import type { Job, Rows } from '../model.ts'
import { canSeek, packingOf } from '../pandas/packing.ts'
import { toCsvOf } from '../pandas/to-csv.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { unlessAborted } from '../support/abort.ts'
import { counted } from '../support/counted.ts'
import { ComparedFile } from './compared-file.ts'
import { findingsOf, type Readings } from './findings.ts'
import { JobTopic, type PartitionReadings } from './job-topic.ts'
import { OutputRows } from './output-rows.ts'
import { ReopenedResults } from './reopened-results.ts'
import { type OutputDigests, type RowFormat, SameBytes } from './same-bytes.ts'
import { WholeOutput } from './whole-output.ts'

export interface VerifyOptions {
  /** The id of the job. */
  readonly job: string
  /** The file to judge. */
  readonly out: string
  /** A file that must have the same bytes, or null. */
  readonly against: string | null
  /** The Python that unpacks the formats that Node lacks (.bz2, .zip, .xz, .tar), and decodes. Default: python3. */
  readonly python?: string
  /** How the rows of a job with these columns and options become bytes. */
  readonly format: (header: SinkHeader) => RowFormat
}

/** One count for both topics. */
export interface Counts {
  readonly rows: number
  readonly results: number
}

/** What verify found. If nothing is missing, rows in = rows out + rejects. */
export interface Verified {
  readonly job: string
  readonly rowsIn: number
  readonly rowsOut: number
  readonly rejects: number
  /** Further copies of rows. */
  readonly duplicates: Counts
  /** Rows that were missing when they were due. */
  readonly gaps: Counts
  /** Messages that break the wire format or the job record. */
  readonly malformed: Counts
  /** For each worker, how many of its rows count. */
  readonly rowsByWorker: ReadonlyMap<string, number>
  /** Fingerprints as hex. */
  readonly classifiers: readonly string[]
  readonly digests: OutputDigests
  /** Everything that does not agree. The finding that explains most comes first. Each has exit code 6. */
  readonly findings: readonly RowmillError[]
}

/**
 * Judges a job and its output by what the topics hold now, and by nothing else: no collector, no lag, no committed offset.
 * It reads the rows of every partition to its end of input, then the results in the order of the rows. It compares OUT, or
 * the content of a packed OUT, with the bytes that the results make. It waits for nobody: whatever is missing is a finding.
 *
 * Throws if it cannot judge: USAGE for an unknown job, INPUT_NOT_FOUND and INPUT_UNREADABLE for the files,
 * BROKER_UNREACHABLE and TOPIC_UNUSABLE for the topics, and the reason of `signal`.
 */
export async function verify(context: PipelineContext, options: VerifyOptions): Promise<Verified> {
  const first = await verifyOnce(context, options, null)
  if (!first.changes) return first.verified
  context.say(
    'kinds of columns differ between batches: the results are read again, with their cells as over the whole file',
  )
  return (await verifyOnce(context, options, first.changes)).verified
}

interface Reading {
  readonly verified: Verified
  /** What later rows say about the cells of earlier ones. */
  readonly changes: CellChanges | null
}

async function verifyOnce(
  context: PipelineContext,
  options: VerifyOptions,
  changes: CellChanges | null,
): Promise<Reading> {
  const out = await ComparedFile.open(options.out, 'A collector gives OUT its name when the job is complete.')
  const files = [out]
  try {
    const against = options.against === null ? null : await ComparedFile.open(options.against, 'Correct --against.')
    if (against) files.push(against)
    const job = await findJob(context, options.job)
    for (const file of files) unpack(context, file, { job, python: options.python })
    const bytes = new SameBytes(out, against)
    const whole = new WholeOutput(job, changes)
    const judging = judge(context, job, { bytes, whole, format: options.format })
    const verified = await unlessAborted(judging, context.signal)
    return { verified, changes: whole.changes }
  } finally {
    await Promise.all(files.map(file => file.close()))
  }
}

/** Unpacks a file that to_csv would have packed or encoded. Its name says how it is packed, unless the job does. */
function unpack(
  { say }: PipelineContext,
  file: ComparedFile,
  { job, python = 'python3' }: { job: Job; python: string | undefined },
): void {
  const { compression, encoding, errors, mode } = toCsvOf(job).file
  if (encoding !== null && errors !== 'strict') {
    const message = `job ${job.id} was written with errors=${JSON.stringify(errors)}, so ${file.path} may lack characters of the results: verify cannot compare it. Give the original job's file and this one to cmp`
    throw new RowmillError('USAGE', message, { job: job.id, path: file.path })
  }
  const packing = packingOf(compression, file.path)
  if (mode === 'a')
    say(
      `job ${job.id} appends (mode "a"): ${file.path} is compared from its start, so it differs if it held something before`,
    )
  if (!packing && encoding === null) return
  const how = [packing && `packed (${packing.method})`, encoding !== null && `encoded (${encoding})`].filter(Boolean)
  say(`${file.path} is ${how.join(' and ')}: its content is compared, and the digest is that of its content`)
  file.unpack({ method: packing?.method ?? null, encoding, seeks: canSeek(packing), python })
}

async function findJob({ jobs, pipeline, signal }: PipelineContext, id: string): Promise<Job> {
  const job = await unlessAborted(jobs.latest(id), signal)
  if (!job) {
    const message = `no job ${id} in pipeline ${pipeline}. Give --job as rowmill publish printed it, and the same --pipeline`
    throw new RowmillError('USAGE', message, { job: id, pipeline })
  }
  if (isRemoved(job)) throw jobFailure(job)
  if (job.sequenced && job.bounded) return job
  throw new RowmillError('USAGE', `job ${id} has no order or no end, so it has no defined output file`, { job: id })
}

interface Comparison {
  readonly bytes: SameBytes
  readonly whole: WholeOutput
  readonly format: VerifyOptions['format']
}

async function judge(context: PipelineContext, job: Job, comparison: Comparison): Promise<Verified> {
  const { pipeline, jobs, say } = context
  const { id, attempt, resultsFrom } = job
  const ofResults = { topic: topicsOf(pipeline).results, job: id, from: resultsFrom, attempt }
  // Open the results before the rows: then every result that we read has its row before the end of the rows.
  const attempts = new Set(jobs.attemptsOf(id).map(({ attempt }) => attempt))
  const results = await (attempt === 0
    ? JobTopic.open(context, ofResults)
    : ReopenedResults.open(context, { ...ofResults, attempts }))
  try {
    const rows = await JobTopic.open(context, { topic: job.topic, job: id, from: job.rowsFrom })
    say(`reading ${rows.topic}`)
    await countRows(job, rows)
    if (rows.malformed.first) say(`skipped, as the workers did: ${rows.malformed.first}`, { level: 'warn' })
    say(`${counted(rows.count('rows'), 'row')} in; reading ${results.topic} and the file`)
    const output = new OutputRows(job, await results.read())
    await compare(job, output, comparison)
    return await conclude({ job, rows, results, classifiers: output.classifiers }, output, comparison.bytes)
  } finally {
    await results.close()
  }
}

async function conclude(readings: Readings, output: OutputRows, bytes: SameBytes): Promise<Verified> {
  const { job, rows, results } = readings
  const whole = results.partitions.every(({ tally }) => tally.end?.total === output.seq)
  const { differences, digests } = await bytes.finish(whole)
  const both = (what: 'duplicates' | 'missing') => ({ rows: rows.count(what), results: results.count(what) })
  return {
    job: job.id,
    rowsIn: rows.count('rows'),
    rowsOut: output.rowsOut,
    rejects: output.rejects,
    duplicates: both('duplicates'),
    gaps: both('missing'),
    malformed: { rows: rows.malformed.count, results: results.malformed.count },
    rowsByWorker: output.byWorker,
    classifiers: [...new Set([...output.classifiers.values()].flatMap(ofOne => [...ofOne.keys()]))],
    digests,
    findings: [...findingsOf(readings), ...differences],
  }
}

/** Reads all partitions at once: the feed waits a little at the end of one, which would hold up the next. */
async function countRows(job: Job, rows: JobTopic): Promise<void> {
  try {
    await Promise.all((await rows.read()).map(partition => countPartition(job, partition)))
  } finally {
    await rows.close()
  }
}

async function countPartition(job: Job, partition: PartitionReadings): Promise<void> {
  for (let found = await partition.next(); found; found = await partition.next()) {
    const { record, where } = found
    const flaw = record.kind === 'rows' ? flawOf(record.value, job, partition.partition) : `a ${record.kind} message`
    if (flaw !== null) partition.refuse(where, flaw)
    else if (record.kind === 'rows' && record.value.count > 0)
      partition.tally.take(placeOf(record.value.seq!, job).position, record.value.count, where)
  }
}

/** Compares row by row up to the first missing one, and reads the rest for the counts. */
async function compare({ options }: Job, output: OutputRows, { bytes, whole, format }: Comparison): Promise<void> {
  let begun = false
  const begin = (columns: readonly string[]) => {
    if (!begun) bytes.begin(format({ columns, options }))
    begun = true
  }
  for (let part = await output.next(); part; part = await output.next()) {
    if (part.rows.every(outputs => !outputs?.length)) continue // rejected and dropped rows need no columns
    begin(part.columns)
    await bytes.add(whole.of(part))
  }
  await output.drain()
  if (output.columns) begin(output.columns)
}

/** Why these rows of the job cannot be in this partition, or null. */
function flawOf({ seq, count }: Rows, job: Job, partition: number): string | null {
  if (seq === null) return 'rows without a seq in a job with an order'
  if (count === 0) return null // opens an epoch
  return misplacement(seq, count, { partition, layout: job })
}
