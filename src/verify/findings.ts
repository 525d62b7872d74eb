import { hasFailed, jobFailure } from '../core/job.ts'
import { rowsInPartition, seqOf } from '../core/sequence.ts'
import { RowmillError } from '../errors.ts'
import type { EndOfInput, Job } from '../model.ts'
import { counted } from '../support/counted.ts'
import type { PartitionReadings, TopicReadings } from './job-topic.ts'

/** What was read of a job. */
export interface Readings {
  readonly job: Job
  readonly rows: TopicReadings
  readonly results: TopicReadings
  /** For each attempt, the fingerprint (hex) of each classifier and the first worker that ran it. */
  readonly classifiers: ReadonlyMap<number, ReadonlyMap<string, string>>
}

/**
 * Finds everything in the topics that keeps the job from being complete. The finding that explains most comes first. Any
 * finding gives verify exit code 6, even if the job itself failed for another reason. The fact `what` names the problem in
 * a few words.
 */
export function findingsOf({ job, rows, results, classifiers }: Readings): RowmillError[] {
  const all = [...rows.partitions, ...results.partitions]
  const found = [
    hasFailed(job) ? failed(job) : null,
    contradictingEnds(job, all),
    results.malformed.first === null
      ? null
      : malformed(job, results.malformed.first, 'a message among the results is malformed'),
    ...all.map(partition => gap(job, partition, anyEnd({ rows, results })?.total ?? Number.POSITIVE_INFINITY)),
    incomplete(job, rows, results),
    ...[...classifiers.values()].map(ofOne => (ofOne.size > 1 ? mixed(job, ofOne) : null)),
  ]
  return found.filter(error => error !== null)
}

/** The first end of input that was found, or null. */
function anyEnd({ rows, results }: Pick<Readings, 'rows' | 'results'>): EndOfInput | null {
  const ended = [...rows.partitions, ...results.partitions].find(({ tally }) => tally.end !== null)
  return ended?.tally.end ?? null
}

function failed(job: Job): RowmillError {
  const { code, message } = jobFailure(job)
  const how = job.state === 'failed' ? 'failed' : 'was cancelled'
  const facts = { job: job.id, reason: code, what: `the job ${how}` }
  return new RowmillError('JOB_INCOMPLETE', `job ${job.id} ${how} (${code}): ${message}`, facts)
}

function malformed(job: Job, first: string, what: string): RowmillError {
  return new RowmillError('ROW_MALFORMED', `job ${job.id}: ${first}`, { job: job.id, what })
}

const ENDS = 'the ends of input contradict each other, or the rows'

/** Ends of input must agree in every partition of both topics, and with the rows counted before them. */
function contradictingEnds(job: Job, partitions: readonly PartitionReadings[]): RowmillError | null {
  const ended = partitions.filter(({ tally }) => tally.end !== null)
  const reference = ended[0]?.tally
  for (const { partition, tally } of ended) {
    const { total, rows } = tally.end!
    const { end: first, endedAt } = reference!
    const here = `${tally.endedAt} says ${rows} of ${total} rows`
    if (total !== first!.total) {
      const other = `${endedAt} says ${first!.rows} of ${first!.total} rows`
      return malformed(job, `the ends of input contradict each other: ${here}, ${other}`, ENDS)
    }
    const due = rowsInPartition(partition, total, job)
    if (tally.end!.partition !== partition || rows !== due)
      return malformed(job, `the end of input ${here} for partition ${tally.end!.partition}: it must say ${due}`, ENDS)
    if (tally.next > rows) return malformed(job, `the end of input ${here}, ${tally.next} came before it`, ENDS)
  }
  return null
}

function gap(job: Job, partition: PartitionReadings, total: number): RowmillError | null {
  const { tally, loss } = partition
  const facts = { job: job.id, partition: partition.partition, what: 'rows are missing' }
  const rowAt = (position: number) => seqOf({ partition: partition.partition, position }, job)
  if (!tally.jump) {
    // If the log lost all messages of the job, even its end of input, nothing is left that could show a jump.
    const row = rowAt(0)
    if (loss === null || tally.end || tally.next > 0 || row >= total) return null
    return new RowmillError('ROW_GAP', `job ${job.id}: ${loss}. The first row missing is ${row}.`, { ...facts, row })
  }
  const { expected, found, where } = tally.jump
  const row = rowAt(expected)
  const instead = found === null ? 'the end of input' : `row ${rowAt(found)}`
  const late = tally.late > 0 ? `, of which ${tally.late} came later, out of order` : ''
  const missing = counted(tally.missing, 'row')
  const why = (expected === 0 && loss) || 'Rows were lost before this point: was the topic truncated by retention?'
  const message = `job ${job.id}, ${where}: expected row ${row} and found ${instead}; ${missing} of this partition ${tally.missing === 1 ? 'is' : 'are'} missing${late}. ${why}`
  return new RowmillError('ROW_GAP', message, { ...facts, row, missing: tally.missing })
}

function incomplete({ id, partitions }: Job, rows: TopicReadings, results: TopicReadings): RowmillError | null {
  if (rows.ended === partitions && results.ended === partitions) return null
  const stage = (topic: TopicReadings) =>
    `${topic.topic} has ${counted(topic.count('rows'), 'row')} and the end of input in ${topic.ended} of ${partitions} partitions`
  const lost = [...rows.partitions, ...results.partitions].find(({ loss, tally }) => loss !== null && !tally.end)
  const advice = lost
    ? lost.loss
    : rows.ended < partitions
      ? `Its publisher has not finished. Wait for it, or resume it (rowmill publish IN --job ${id}), and verify again`
      : 'Start rowmill work, or wait for the workers, and verify again'
  const message = `job ${id} is not complete: ${stage(rows)}; ${stage(results)}. ${advice}`
  return new RowmillError('JOB_INCOMPLETE', message, {
    job: id,
    partitions,
    rows: rows.ended,
    results: results.ended,
    what: 'the job is not complete',
  })
}

/** A collector would refuse such a job with CLASSIFIER_MIXED, but that code belongs to commands that classify. */
function mixed(job: Job, classifiers: ReadonlyMap<string, string>): RowmillError {
  const by = [...classifiers].map(([classifier, worker]) => `${classifier} (${worker})`).join(', ')
  const message = `its results are of ${classifiers.size} classifiers: ${by}. Which one is right?`
  return malformed(job, message, `the results are of ${classifiers.size} classifiers`)
}
