import { RowLedger } from '../core/row-ledger.ts'
import type { EpochStart, SequenceCheckpoint } from '../core/row-order.ts'
import { seqOf } from '../core/sequence.ts'
import type { Job } from '../model.ts'
import type { ResultReader } from './result-reader.ts'

/**
 * Where to start reading an unbounded job after retention has deleted its first results: at the lowest row from which on
 * no partition misses one. That is known when each partition has shown a message of the job. The reader has started by
 * then, and the messages looked at are still to be taken. If the first row of an epoch is gone, the first messages that
 * are left say its `from`. `seek` is told which partition is being waited for.
 */
export async function findFirstRow(
  job: Job,
  offsets: readonly number[],
  { reader, seek }: { reader: ResultReader; seek: (partition: number) => void },
): Promise<SequenceCheckpoint> {
  const starts = new Map<number, number>()
  const epochs: number[] = []
  let seq = 0
  for (let partition = 0; partition < job.partitions; partition++) {
    seek(partition)
    const first = await findFirst(partition, reader)
    epochs.push(first.epoch)
    if (first.epoch > 0) starts.set(first.epoch, first.from)
    if (first.position > 0) seq = Math.max(seq, seqOf({ partition, position: first.position - 1 }, job) + 1)
  }
  const counts = { rows: 0, rejects: 0, duplicates: 0 }
  const inOrder: EpochStart[] = [...starts].sort(([a], [b]) => a - b)
  return { seq, counts, offsets, epochs, starts: inOrder }
}

interface FirstOfPartition {
  /** The position of the first row that is left. */
  readonly position: number
  readonly epoch: number
  readonly from: number
}

/** Skips barriers, and messages of an older epoch after them. */
async function findFirst(partition: number, reader: ResultReader): Promise<FirstOfPartition> {
  const ledger = new RowLedger()
  for (;;) {
    const arrived = reader.peek(partition)
    if (!arrived) {
      await reader.arrival()
      continue
    }
    const { kind, value } = arrived
    if (ledger.enter(value.epoch) && (kind === 'end' || (kind === 'result' && value.count > 0))) {
      const position = kind === 'end' ? value.rows : value.first
      return { position, epoch: value.epoch, from: value.from }
    }
    reader.take(partition)
  }
}
