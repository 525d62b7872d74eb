import { encodeEndOfInput, encodeRows } from '../../src/codec.ts'
import { appendJob } from '../../src/jobs.ts'
import { Kafka } from '../../src/kafka.ts'
import type { Job, Values } from '../../src/model.ts'
import { PartitionSender } from '../../src/partition-sender.ts'
import { placeOf, rowsInPartition } from '../../src/sequence.ts'
import { topicsOf } from '../../src/topics.ts'
import { type Flow, OrderedRows } from './flow.ts'

export const COLUMNS = ['ID', 'SKU', 'TEXT'] as const

export interface JobFlowOptions {
  readonly broker: string
  readonly pipeline: string
  readonly partitions: number
  readonly job: string
}

/** A job of events whose rows the workers of a pipeline classify. */
export async function openJobFlow({ broker, pipeline, partitions, job: id }: JobFlowOptions): Promise<Flow> {
  const kafka = new Kafka({ brokers: [broker], clientId: 'bench' })
  const topics = topicsOf(pipeline)
  const reader = await kafka.reader([topics.rows, topics.results])
  const rowsFrom = await reader.ends(topics.rows, partitions)
  const resultsFrom = await reader.ends(topics.results, partitions)
  await reader.close()
  const job: Job = {
    ...{ id, epoch: 0, attempt: 0, state: 'open', reason: null, columns: COLUMNS, sequenced: true, bounded: false },
    ...{ partitions, blockRows: 1, topic: topics.rows, from: 0, total: null, rowsFrom, resultsFrom, source: null },
    ...{ indexKind: 'text', options: [], at: Date.now(), by: 'bench' },
  }
  const positions = resultsFrom.map((offset, partition) => ({ topic: topics.results, partition, offset }))
  const rows = await OrderedRows.open(kafka, positions, job)
  const sender = new PartitionSender(await kafka.producer(), () => {})
  await appendJob(sender, pipeline, job)
  let seq = 0
  return {
    send(values: Values) {
      const { partition } = placeOf(seq, job)
      const row = { job: id, epoch: 0, from: 0, seq, count: 1, line: null, lineSteps: null, rows: [values] }
      seq++
      return sender.send({ topic: topics.rows, partition }, { key: id, value: encodeRows(row) })
    },
    results: signal => rows.batches(signal),
    async close() {
      const ends = rowsFrom.map((_, partition) => {
        const counts = { partition, rows: rowsInPartition(partition, seq, job), total: seq, refused: 0 }
        const value = encodeEndOfInput({ job: id, epoch: 0, from: 0, attempt: 0, ...counts })
        return sender.send({ topic: topics.rows, partition }, { key: id, value })
      })
      await Promise.all(ends)
      await appendJob(sender, pipeline, { ...job, state: 'ended', total: seq, at: Date.now() })
      await Promise.all([sender.close(), rows.close()])
    },
  }
}
