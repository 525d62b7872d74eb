import { partitionOf } from '../../src/core/sequence.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Values } from '../../src/model.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { type Flow, OrderedRows } from './flow.ts'

export interface CopiedFlowOptions {
  readonly broker: string
  readonly partitions: number
  readonly into: string
  /** Where the same messages come out; a program must already copy them. `into` itself if nothing copies. */
  readonly from: string
}

/** Rows that a program copies message by message. Without one, it measures producer, broker and reader alone. */
export async function openCopiedFlow({ broker, partitions, into, from }: CopiedFlowOptions): Promise<Flow> {
  const kafka = new Kafka({ brokers: [broker], clientId: 'bench' })
  const layout = { partitions, blockRows: 1 }
  const reader = await kafka.reader([from])
  const ends = await reader.ends(from, partitions)
  await reader.close()
  const offsets = ends.map((offset, partition) => ({ topic: from, partition, offset }))
  const rows = await OrderedRows.open(kafka, offsets)
  const sender = new PartitionSender(await kafka.producer(), () => {})
  let seq = 0
  return {
    send(values: Values) {
      const partition = partitionOf(seq, layout)
      const row = { job: 'j', epoch: 0, from: 0, seq, count: 1, line: null, lineSteps: null, rows: [values] }
      seq++
      return sender.send({ topic: into, partition }, { key: String(partition), value: encodeRows(row) })
    },
    results: signal => rows.batches(signal),
    async close() {
      await sender.room(1)
      await Promise.all([sender.close(), rows.close()])
    },
  }
}
