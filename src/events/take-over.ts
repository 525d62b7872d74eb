import { CountingRows } from '../core/counting-rows.ts'
import { type TakeoverPoint, takeoverRecord } from '../core/job-epochs.ts'
import { RowmillError } from '../errors.ts'
import type { Message } from '../kafka/index.ts'
import type { PartitionSender } from '../kafka/partition-sender.ts'
import { readNow } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import { appendJob } from '../pipeline/append-job.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { latestJob } from '../pipeline/latest-job.ts'
import { checkSameProducer } from '../pipeline/same-job.ts'
import { crashPoint } from '../support/crash-point.ts'
import { encodeRows } from '../wire/codec.ts'
import { decodeHead } from '../wire/rows-head.ts'

/** What a producer of events works with. */
export interface ProducerContext extends PipelineContext {
  readonly sender: PartitionSender
  /** Unique for each producer, so that its epochs can be recognized. */
  readonly by: string
}

/**
 * Opens the job, or takes it over from its last producer under a new epoch. Announces the epoch first, then sends a
 * barrier to each partition. A row of an older producer after a barrier does not count. The rows before the barriers
 * tell at which seq to continue. Throws JOB_EXISTS, the failure of the job, and PRODUCER_FENCED if somebody else takes
 * it over meanwhile.
 */
export async function takeOver(context: ProducerContext, wanted: Job): Promise<Job> {
  const job = await claim(context, wanted)
  crashPoint('epoch-claimed')
  if (job.epoch === 0) return job
  await sendBarriers(context, job)
  crashPoint('barriers-acked')
  return { ...job, from: await findNext(context, job) }
}

/** The error of a producer that has lost its job to another one. */
export function fenced(id: string, { by, epoch }: { by: string; epoch: number }): RowmillError {
  const message =
    `job ${id} was taken over by ${by}: a job has one producer at a time, and the newer one has it. ` +
    'Rows that send has resolved are safe, and the newer producer continues after them. Close this one'
  return new RowmillError('PRODUCER_FENCED', message, { job: id, by, epoch })
}

/** Appends records of new epochs until this producer has the first record of one. */
async function claim(context: ProducerContext, wanted: Job): Promise<Job> {
  const { pipeline, jobs, sender, by } = context
  const { id } = wanted
  for (;;) {
    const before = await latestJob(context, id)
    if (before) checkSameProducer(before, wanted, pipeline)
    const known = jobs.epochsOf(id)
    const epoch = known ? known.epoch + 1 : 0
    const next = before && { ...before, epoch, from: known!.takeoverPoint.from, at: Date.now(), by }
    await appendJob(sender, pipeline, next ?? wanted)
    const job = (await latestJob(context, id))!
    checkSameProducer(job, wanted, pipeline)
    const held = jobs.epochsOf(id)!
    if (held.epoch === epoch && held.by === by) return { ...job, epoch }
    if (held.epoch > epoch) throw fenced(id, held)
  }
}

async function sendBarriers({ sender }: ProducerContext, { id, epoch, topic, partitions }: Job): Promise<void> {
  const head = { job: id, epoch, from: 0, seq: null, count: 0, line: null, lineSteps: null }
  const value = encodeRows({ ...head, rows: [] })
  const barriers = Array.from({ length: partitions }, (_, partition) =>
    sender.send({ topic, partition }, { key: id, value }).then(() => crashPoint('barrier-acked')),
  )
  await Promise.all(barriers)
}

/** The lowest seq without a row that counts. Reads what lies between the last takeover point and the barriers. */
async function findNext(context: ProducerContext, job: Job): Promise<number> {
  const { takeoverPoint: point } = context.jobs.epochsOf(job.id)!
  if (point.closed && point.epoch === job.epoch - 1) return point.from
  const rows = new CountingRows(job, point)
  const offsets = point.rowsFrom.map((offset, partition) => ({ topic: job.topic, partition, offset }))
  await readNow(context, offsets, (partition, message) => {
    if (rows.epochOf(partition) < job.epoch && message.key?.toString() === job.id) take(rows, partition, message)
  })
  const newer = point.rowsFrom.findIndex((_, partition) => rows.epochOf(partition) > job.epoch)
  if (newer >= 0) {
    await latestJob(context, job.id)
    throw fenced(job.id, context.jobs.epochsOf(job.id)!)
  }
  await checkKept(context, job, { point, rows })
  return rows.next
}

function take(rows: CountingRows, partition: number, { value }: Message): void {
  let record: ReturnType<typeof decodeHead>
  try {
    record = decodeHead(value)
  } catch (error) {
    if (error instanceof RowmillError) return // an unreadable message is not from a producer
    throw error
  }
  if (record.kind === 'rows') rows.takeRows(partition, record.value)
  else if (record.kind === 'end') rows.takeEnd(partition, record.value)
}

/** Throws ROW_GAP if retention deleted messages after the takeover point that may have been rows of the job. */
async function checkKept(
  { kafka }: ProducerContext,
  { id, topic }: Job,
  { point, rows }: { point: TakeoverPoint; rows: CountingRows },
): Promise<void> {
  const reader = await kafka.reader([topic])
  try {
    const partitions = point.rowsFrom.map((_, partition) => ({ topic, partition }))
    for (const { partition, offset } of await reader.offsets(partitions, 'start')) {
      if (offset <= point.rowsFrom[partition]! || rows.hasRows(partition)) continue
      const message =
        `job ${id}: its last producer ended without close, and since then ${topic}[${partition}] lost its messages below ` +
        `offset ${offset}. Nothing tells which rows from ${point.from} on were there. ` +
        'Was the topic truncated by retention? Continue under another id'
      throw new RowmillError('ROW_GAP', message, { job: id, topic, partition, offset })
    }
  } finally {
    await reader.close()
  }
}

/** Appends a takeover point: the next producer starts to read there. */
export function appendTakeoverPoint(
  { sender, pipeline, by }: ProducerContext,
  job: Job,
  point: TakeoverPoint,
): Promise<void> {
  return appendJob(sender, pipeline, takeoverRecord(job, point, { at: Date.now(), by }))
}
