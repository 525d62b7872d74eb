import type { BatchAnswer, BatchClassifier } from '../classifier/boundary.ts'
import { type Batch, Batcher } from '../core/batcher.ts'
import { castsOf, OutputKinds } from '../core/output-kinds.ts'
import { Reassembler } from '../core/reassembler.ts'
import { isReject, outcomesOf, type ResultSlice, rowsOf } from '../core/result-slice.ts'
import { describeRows, placeOf, rowsInPartition, seqOf } from '../core/sequence.ts'
import { CellRules, ChangedCells, WholeColumns } from '../core/whole-columns.ts'
import type { EndOfInput, Job, Rejected, Result, RowsHead, Values } from '../model.ts'
import { withoutMarks } from '../pandas/number-marks.ts'
import { marksNumbers } from '../pandas/to-csv.ts'
import { decode, encodeRows } from '../wire/codec.ts'
import { decodeHead } from '../wire/rows-head.ts'

/** What became of the rows of a job. */
export interface Classified {
  readonly columns: readonly string[]
  readonly rows: readonly Values[]
  /** For each of `rows`, the seq of the row that it was made of. */
  readonly seqs: readonly number[]
  readonly rejected: readonly Rejected[]
  /** The seqs of each batch, in the order in which the batches were cut. */
  readonly batches: readonly (readonly number[])[]
}

/** Classifies the rows of a job as a worker and a collector do, with arrays instead of topics. */
export async function classifyInMemory(
  job: Job,
  rows: readonly Values[],
  { classifier, batchRows, live = false }: { classifier: BatchClassifier; batchRows: number; live?: boolean },
): Promise<Classified> {
  const batches = cutBatches(job, rows, batchRows)
  const answers = await answerAll(batches, job, classifier)
  const logs: Result[][] = Array.from({ length: job.partitions }, () => [])
  batches.forEach(({ partition }, i) => {
    logs[partition]!.push(...answers[i]!.results.map(message => decode(message).value as Result))
  })
  const rejected = answers.flatMap(answer => answer.rejected).sort((a, b) => a.seq! - b.seq!)
  const seqs = batches.map(({ batch, partition }) => seqsOf(batch, partition, job))
  return { ...collectAll(job, rows.length, { logs, live }), rejected, batches: rows.length === 0 ? [[]] : seqs }
}

interface PartitionBatch {
  readonly partition: number
  readonly batch: Batch
}

/** As a worker that finds the whole job: a batch of each partition in turn, until there are none. */
function cutBatches(job: Job, rows: readonly Values[], batchRows: number): PartitionBatch[] {
  if (rows.length === 0) return [{ partition: 0, batch: batchWithoutRows(job) }]
  const batchers = Array.from({ length: job.partitions }, () => new Batcher(0))
  const offsets = batchers.map(() => 0)
  rows.forEach((values, seq) => {
    const { partition, position } = placeOf(seq, job)
    batchers[partition]!.addRows(offsets[partition]!++, messageOf(job, seq, values), position)
  })
  const batches: PartitionBatch[] = []
  while (batchers.some(({ waiting }) => waiting > 0)) {
    batchers.forEach((batcher, partition) => {
      const batch = batcher.cutBatch(batchRows)
      if (batch) batches.push({ partition, batch })
    })
  }
  return batches
}

function messageOf({ id, epoch, from }: Job, seq: number, values: Values): { head: RowsHead; bytes: Buffer } {
  const bytes = encodeRows({ job: id, epoch, from, seq, count: 1, line: null, lineSteps: null, rows: [values] })
  return { head: decodeHead(bytes).value as RowsHead, bytes }
}

/** Only the classifier knows the columns of a job without rows. */
function batchWithoutRows({ id, epoch, from }: Job): Batch {
  return { kind: 'batch', job: id, epoch, from, first: 0, offset: 0, count: 0, parts: [] }
}

/** As many batches at once as the classifier takes. */
async function answerAll(
  batches: readonly PartitionBatch[],
  job: Job,
  classifier: BatchClassifier,
): Promise<BatchAnswer[]> {
  await classifier.start()
  const answers: BatchAnswer[] = []
  const turns = batches.entries()
  const serve = async () => {
    for (const [i, { batch }] of turns) answers[i] = await classifier.classify(batch, job)
  }
  await Promise.all(Array.from({ length: classifier.ahead }, serve))
  return answers
}

function seqsOf({ first, count }: Batch, partition: number, job: Job): number[] {
  return Array.from({ length: count }, (_, i) => seqOf({ partition, position: first + i }, job))
}

function collectAll(
  job: Job,
  total: number,
  { logs, live }: { logs: readonly Result[][]; live: boolean },
): Pick<Classified, 'columns' | 'rows' | 'seqs'> {
  const reassembler = new Reassembler(job.id, job, {
    seq: 0,
    counts: { rows: 0, rejects: 0, duplicates: 0 },
    offsets: job.resultsFrom,
  })
  const rules = new CellRules(job)
  const kinds = new OutputKinds(job.id, castsOf(job), { rules })
  const whole = new WholeColumns(rules)
  const taken = logs.map(() => 0)
  const slices: ResultSlice[] = []
  let columns: readonly string[] | null = null
  for (let partition = reassembler.wanted; partition !== null; partition = reassembler.wanted) {
    const offset = taken[partition]!++
    const place = { topic: 'results', partition, offset }
    const result = logs[partition]![offset]
    if (!result) {
      reassembler.end(place, endOf(job, partition, total))
      continue
    }
    reassembler.offer(place, result)
    kinds.check(result, describeRows({ partition, position: result.first }, result.count, job))
    if (result.count === 0 || result.rows.length > 0) columns ??= result.columns
    slices.push(...reassembler.take())
  }
  kinds.finish()
  for (const slice of slices) whole.add(rowsOf(slice), slice.result)
  const changes = live ? null : whole.changes(kinds.kinds)
  const changed = changes && new ChangedCells(rules, changes)
  const rows = slices.flatMap(slice => changed?.of(rowsOf(slice), slice.result) ?? rowsOf(slice))
  const seqs = slices.flatMap(slice =>
    outcomesOf(slice).flatMap((outcome, i) => (isReject(outcome) ? [] : outcome.map(() => slice.seq! + i))),
  )
  const names = columns ?? kinds.seen.columnsWithoutRows ?? []
  if (!marksNumbers(job)) return { columns: names, rows, seqs }
  return { columns: withoutMarks(names), rows: rows.map(withoutMarks), seqs }
}

function endOf(job: Job, partition: number, total: number): EndOfInput {
  const { id, epoch, from, attempt } = job
  const rows = rowsInPartition(partition, total, job)
  return { job: id, epoch, from, attempt, partition, rows, total }
}
