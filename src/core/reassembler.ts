import { RowmillError } from '../errors.ts'
import type { EndOfInput, Result, Rows } from '../model.ts'
import { type ResultSlice, rejectedOf, rowCount, rowsOutOf, sameColumns } from './result-slice.ts'
import {
  type MessageOffset,
  type RowCounts,
  type RowOrder,
  type SequenceCheckpoint,
  withoutSameRowsOut,
} from './row-order.ts'
import { type Layout, partitionOf, rowsInPartition, rowsLeftInBlock, seqOf } from './sequence.ts'

/** A result whose rows before position `end` count and are not all handed out. */
interface HeldResult {
  readonly result: Result
  readonly offset: number
  end: number
}

interface PartitionHead {
  /** The position of the next row to hand out or, if nothing is held, to be offered. */
  next: number
  /** Results in the order of their positions, without gap or overlap. The first may be handed out in part. */
  readonly held: HeldResult[]
  /** The end of the positions that were offered. */
  offered: number
  /** The highest epoch in this partition: later messages of lower epochs do not count. */
  epoch: number
  end: { readonly value: EndOfInput; readonly offset: number } | null
  /** The offset after the last message that was offered. */
  read: number
}

/**
 * Puts the results of P partitions back into the order of the rows. Arithmetic says which partition has the next row. The
 * first result of a position counts; later ones are dropped and counted. A position that was jumped over is lost: ROW_GAP.
 *
 * A producer that takes over a job begins an epoch. In each partition, messages of older epochs do not count after a
 * message of this epoch. In all partitions, rows of older epochs do not count from its `from` on. The reader learns
 * `from` in time: it needs row `from` next, and only a message of the new epoch brings it.
 *
 * The reassembler has no RowLedger. A ledger starts its positions over with a new epoch; here they go on, since a reader
 * from position 0 must find gaps. And rows that were offered are taken back when `from` is learned.
 */
export class Reassembler implements RowOrder {
  readonly #layout: Layout
  readonly #heads: PartitionHead[]
  readonly #job: string
  #seq = 0
  #rows = 0
  #rejects = 0
  #duplicates = 0
  #rowsOut = 0
  /** The highest epoch seen anywhere. */
  #epoch: number
  /** By epoch, its `from`. An epoch that every partition has reached is left out. */
  readonly #starts: Map<number, number>
  /** The end of input of the highest epoch. */
  #end: EndOfInput | null = null
  #ends = 0

  constructor(job: string, layout: Layout, checkpoint: SequenceCheckpoint) {
    const { seq, counts, offsets, epochs = [], starts = [] } = checkpoint
    this.#job = job
    this.#layout = layout
    this.#seq = seq
    this.#rows = counts.rows
    this.#rejects = counts.rejects
    this.#duplicates = counts.duplicates
    this.#rowsOut = counts.rowsOut ?? counts.rows
    this.#epoch = Math.max(0, ...epochs, ...starts.map(([epoch]) => epoch))
    this.#starts = new Map(starts)
    this.#heads = offsets.map((read, partition) => {
      const next = rowsInPartition(partition, seq, layout)
      return { next, held: [], offered: next, epoch: epochs[partition] ?? 0, end: null, read }
    })
  }

  get checkpoint(): SequenceCheckpoint {
    const offsets = this.#heads.map(({ held, end, read }) => held[0]?.offset ?? end?.offset ?? read)
    const checkpoint = { seq: this.#seq, counts: this.counts, offsets }
    if (this.#epoch === 0) return checkpoint
    // Held results are read again, and so are the barriers after them: the epoch is that before the first held result.
    const epochs = this.#heads.map(({ held, epoch }) => held[0]?.result.epoch ?? epoch)
    const starts = [...this.#starts].filter(([epoch]) => epoch > Math.min(...epochs)).sort(([a], [b]) => a - b)
    return { ...checkpoint, epochs, starts }
  }

  get counts(): RowCounts {
    return withoutSameRowsOut({
      rows: this.#rows,
      rejects: this.#rejects,
      duplicates: this.#duplicates,
      rowsOut: this.#rowsOut,
    })
  }

  get complete(): boolean {
    return this.#end !== null && this.#seq === this.#end.total && this.#ends === this.#layout.partitions
  }

  get endedEpoch(): number {
    return this.#end?.epoch ?? 0
  }

  get seq(): number {
    return this.#seq
  }

  get wanted(): number | null {
    if (this.complete) return null
    const allRows = this.#end !== null && this.#seq >= this.#end.total
    return allRows ? this.#heads.findIndex(head => head.end === null) : partitionOf(this.#seq, this.#layout)
  }

  get next(): Result | null {
    return this.#heads[partitionOf(this.#seq, this.#layout)]!.held[0]?.result ?? null
  }

  /** A job with sequence keeps its partitions. */
  reach(): void {}

  offer(at: MessageOffset, result: Result): number {
    const { partition, offset } = at
    const where = describe(at)
    const head = this.#heads[partition]!
    head.read = offset + 1
    if (!this.#enter(head, result)) {
      this.#duplicates += result.count
      return 0
    }
    if (result.count > 0) this.#learn(result)
    const end = Math.min(result.first + result.count, this.#limit(partition, result.epoch))
    if (end <= head.offered) {
      this.#duplicates += result.count
      return 0
    }
    if (head.end) throw this.#malformed(where, `row ${this.#seqAt(partition, end - 1)} comes after the end of input`)
    if (result.first > head.offered) throw this.#gap(partition, result.first, where)
    const firstCopies = end - head.offered
    this.#duplicates += result.count - firstCopies
    head.offered = end
    head.held.push({ result, offset, end })
    return firstCopies
  }

  barrier({ partition, offset }: MessageOffset, barrier: Pick<Rows, 'epoch'>): void {
    const head = this.#heads[partition]!
    head.read = offset + 1
    this.#enter(head, barrier)
  }

  end(at: MessageOffset, end: EndOfInput): void {
    const { partition, offset } = at
    const where = describe(at)
    const head = this.#heads[partition]!
    head.read = offset + 1
    if (!this.#enter(head, end) || end.epoch < this.#epoch) return // a newer producer has taken over
    this.#learn(end)
    const first = this.#end ?? end
    const agrees = end.total === first.total && end.partition === partition
    if (!agrees || end.rows !== rowsInPartition(partition, end.total, this.#layout)) {
      throw this.#malformed(
        where,
        `the end of input says ${end.rows} of ${end.total} rows and contradicts an earlier one or the layout`,
      )
    }
    if (head.end) return
    if (head.offered < end.rows) throw this.#gap(partition, end.rows, where)
    if (head.offered > end.rows)
      throw this.#malformed(where, `the end of input says ${end.rows} rows, but ${head.offered} came`)
    head.end = { value: end, offset }
    this.#end = first
    this.#ends++
  }

  take(): ResultSlice[] {
    const slices: ResultSlice[] = []
    let columnsOf: Result | null = null
    for (;;) {
      const partition = partitionOf(this.#seq, this.#layout)
      const head = this.#heads[partition]!
      const held = head.held[0]
      if (!held || (columnsOf && !sameColumns(columnsOf, held.result))) return slices
      const { result, offset, end } = held
      if (rowCount(result) > 0) columnsOf = result
      const count = Math.min(end - head.next, rowsLeftInBlock(this.#seq, this.#layout))
      const slice = { result, partition, offset, index: head.next - result.first, count, seq: this.#seq }
      const rejects = rejectedOf(slice).length
      this.#rejects += rejects
      this.#rows += count - rejects
      this.#rowsOut += rowsOutOf(slice)
      this.#seq += count
      head.next += count
      if (head.next === end) head.held.shift()
      slices.push(slice)
    }
  }

  /** Whether a message of this epoch counts in this partition. A new epoch takes back the ends of input of older ones. */
  #enter(head: PartitionHead, { epoch }: { epoch: number }): boolean {
    if (epoch < head.epoch) return false
    head.epoch = epoch
    if (epoch <= this.#epoch) return true
    this.#epoch = epoch
    for (const each of this.#heads) each.end = null
    this.#end = null
    this.#ends = 0
    return true
  }

  /** The end of the positions where rows of the epoch count. */
  #limit(partition: number, epoch: number): number {
    let from = Number.POSITIVE_INFINITY
    for (const [later, start] of this.#starts) if (later > epoch) from = Math.min(from, start)
    return Number.isFinite(from) ? rowsInPartition(partition, from, this.#layout) : from
  }

  /**
   * Learns the `from` of an epoch, and takes back held rows of older epochs from there on.
   *
   * A sends row 6 and freezes before row 5 reaches its partition. The reader holds row 6. B takes over: it finds that
   * row 5 is missing, so its `from` is 5, and it sends rows 5, 6, ... of its own. The reader needs row 5 next. It comes
   * with `from` 5, and the reader drops row 6 of A before it could hand it out. Then row 6 of B is a first copy.
   */
  #learn({ epoch, from }: { epoch: number; from: number }): void {
    if (epoch === 0 || this.#starts.has(epoch)) return
    this.#starts.set(epoch, from)
    for (const [partition, head] of this.#heads.entries())
      this.#duplicates += takeBack(head, epoch, rowsInPartition(partition, from, this.#layout))
    const reached = Math.min(...this.#heads.map(head => head.held[0]?.result.epoch ?? head.epoch))
    for (const each of this.#starts.keys()) if (each <= reached && each !== epoch) this.#starts.delete(each)
  }

  #seqAt(partition: number, position: number): number {
    return seqOf({ partition, position }, this.#layout)
  }

  #gap(partition: number, found: number, where: string): RowmillError {
    const position = this.#heads[partition]!.offered
    const expected = this.#seqAt(partition, position)
    return new RowmillError(
      'ROW_GAP',
      `job ${this.#job}, ${where}: expected the result of row ${expected} and found position ${found} instead of ${position}. ` +
        'Rows were lost before this point: was a topic truncated by retention?',
      { job: this.#job, partition, row: expected, expected: position, found },
    )
  }

  #malformed(where: string, message: string): RowmillError {
    return new RowmillError('ROW_MALFORMED', `job ${this.#job}, ${where}: ${message}`, { job: this.#job })
  }
}

/**
 * Drops the held rows of older epochs from position `limit` on, last result first. Returns how many it drops.
 *
 * It stops at a result of this epoch or a newer one. The producer of a newer epoch found all rows below its own `from`.
 * So rows of this epoch were in this partition before, and `from` was learned then.
 */
function takeBack(head: PartitionHead, epoch: number, limit: number): number {
  const keep = Math.max(head.next, limit)
  let dropped = 0
  for (;;) {
    const last = head.held.at(-1)
    if (!last || last.result.epoch >= epoch || last.end <= keep) return dropped
    const start = head.held.at(-2)?.end ?? head.next
    const end = Math.max(keep, start)
    dropped += last.end - end
    head.offered = end
    if (end > start) last.end = end
    else head.held.pop()
  }
}

function describe({ topic, partition, offset }: MessageOffset): string {
  return `${topic}[${partition}]@${offset}`
}
