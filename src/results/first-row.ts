import type { EpochStart, ReassemblerPosition } from '../core/reassembler.ts'
import { seqOf } from '../core/sequence.ts'
import type { Job } from '../model.ts'
import type { ResultReader } from './result-reader.ts'

/**
 * Where a sequenced job that does not end can be begun, when retention has taken its first results: at the lowest row from
 * which on every partition still has all of its own. That is known when each has shown something of the job; the reader
 * has begun to read by then, and what it looked at is still to be taken. Of an epoch whose first row is gone the first
 * messages left tell where it began. `seek` is told which partition is waited for.
 */
export async function findFirstRow(
  job: Job,
  offsets: readonly number[],
  { reader, seek }: { reader: ResultReader; seek: (partition: number) => void },
): Promise<ReassemblerPosition> {
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
  /** The position of the first row that is still there. */
  readonly position: number
  readonly epoch: number
  readonly from: number
}

/** Passes over barriers, and over what lies behind one and is of a lower epoch. */
async function findFirst(partition: number, reader: ResultReader): Promise<FirstOfPartition> {
  for (let epoch = 0; ; ) {
    const arrived = reader.peek(partition)
    if (!arrived) {
      await reader.arrival()
      continue
    }
    const { kind, value } = arrived
    const counts = value.epoch >= epoch && (kind === 'end' || (kind === 'result' && value.count > 0))
    if (counts) {
      const position = kind === 'end' ? value.rows : value.first
      return { position, epoch: value.epoch, from: value.from }
    }
    epoch = Math.max(epoch, value.epoch)
    reader.take(partition)
  }
}
