import { RowmillError } from '../errors.ts'
import type { EndOfInput, Result, Rows } from '../model.ts'
import { type Run, rejectedOf, sameColumns } from './result-run.ts'
import { type Layout, partitionOf, rowsInPartition, rowsLeftInBlock, seqOf } from './sequence.ts'

/** What of a result counts and was not handed out: the positions up to `behind`. */
interface Held {
  readonly result: Result
  readonly offset: number
  behind: number
}

interface PartitionHead {
  /** The position of the next row to hand out, or, where nothing is held, to be offered. */
  next: number
  /** Results in the order of their positions, without gap or overlap; the first may be handed out in part. */
  readonly held: Held[]
  /** The position behind the last result held. */
  offered: number
  /** The highest epoch seen in this partition: behind it lower ones do not count. */
  epoch: number
  end: { readonly value: EndOfInput; readonly offset: number } | null
  /** The offset behind what was offered last. */
  read: number
}

/** Where a message was found. */
export interface MessagePlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** An epoch of a publisher, and the lowest seq that it did not find: rows of earlier epochs count only below. */
export type EpochStart = readonly [epoch: number, from: number]

/** Where a reassembler stands: a new one that begins so, and reads `offsets`, goes on without a gap. */
export interface ReassemblerPosition {
  /** The next row to hand out. */
  readonly seq: number
  readonly counts: ReassembledCounts
  /** For each partition the offset of the first message that is not wholly handed out; ends of input never are. */
  readonly offsets: readonly number[]
  /** For each partition the highest epoch in front of that message. Not there: no publisher had another one than 0. */
  readonly epochs?: readonly number[]
  /** Where epochs began that messages from there on may have to be held against, in order. */
  readonly starts?: readonly EpochStart[]
}

/** The counts of what was handed out so far; duplicates are rows that came again or that another epoch replaced. */
export interface ReassembledCounts {
  readonly rows: number
  readonly rejects: number
  readonly duplicates: number
}

/**
 * Puts the results of P partitions back in the order of the rows. Whoever calls it reads, for each partition, its
 * results, barriers and ends of input in log order and offers them; which partition is needed next is arithmetic. The
 * first result of a position counts, later ones are dropped and counted. A position that was jumped over is lost: ROW_GAP.
 *
 * A publisher of events that takes a job over begins an epoch. In each partition what lies behind a message of that epoch
 * and is of a lower one does not count; and of all lower epochs no row at or above `from`, the lowest seq that the new
 * publisher did not find. That is learnt in time: row `from` itself can only come with the new epoch.
 */
export class Reassembler {
  readonly #layout: Layout
  readonly #heads: PartitionHead[]
  readonly #job: string
  #seq = 0
  #rows = 0
  #rejects = 0
  #duplicates = 0
  /** The highest epoch seen anywhere. */
  #epoch: number
  /** Epoch to `from`, of those that some partition has not reached. */
  readonly #starts: Map<number, number>
  /** The end of input of the highest epoch. */
  #end: EndOfInput | null = null
  #ends = 0

  constructor(job: string, layout: Layout, position: ReassemblerPosition) {
    const { seq, counts, offsets, epochs = [], starts = [] } = position
    this.#job = job
    this.#layout = layout
    this.#seq = seq
    this.#rows = counts.rows
    this.#rejects = counts.rejects
    this.#duplicates = counts.duplicates
    this.#epoch = Math.max(0, ...epochs, ...starts.map(([epoch]) => epoch))
    this.#starts = new Map(starts)
    this.#heads = offsets.map((read, partition) => {
      const next = rowsInPartition(partition, seq, layout)
      return { next, held: [], offered: next, epoch: epochs[partition] ?? 0, end: null, read }
    })
  }

  /** Where the rows stand that were handed out so far. */
  get position(): ReassemblerPosition {
    const offsets = this.#heads.map(({ held, end, read }) => held[0]?.offset ?? end?.offset ?? read)
    const position = { seq: this.#seq, counts: this.counts, offsets }
    if (this.#epoch === 0) return position
    // What is held is read again, and what lies behind it: a barrier between them is still to come then.
    const epochs = this.#heads.map(({ held, epoch }) => held[0]?.result.epoch ?? epoch)
    const starts = [...this.#starts].filter(([epoch]) => epoch > Math.min(...epochs)).sort(([a], [b]) => a - b)
    return { ...position, epochs, starts }
  }

  get counts(): ReassembledCounts {
    return { rows: this.#rows, rejects: this.#rejects, duplicates: this.#duplicates }
  }

  /** Every row was handed out and every partition has ended. */
  get complete(): boolean {
    return this.#end !== null && this.#seq === this.#end.total && this.#ends === this.#layout.partitions
  }

  /** The epoch whose ends of input are counted. */
  get endedEpoch(): number {
    return this.#end?.epoch ?? 0
  }

  /** The partition without which nothing goes on: it holds the next row, or its end of input is missing; -1: complete. */
  get wanted(): number {
    const allRows = this.#end !== null && this.#seq >= this.#end.total
    return allRows ? this.#heads.findIndex(head => head.end === null) : partitionOf(this.#seq, this.#layout)
  }

  /** The result that holds the next row to hand out, where it is there. */
  get next(): Result | null {
    return this.#heads[partitionOf(this.#seq, this.#layout)]!.held[0]?.result ?? null
  }

  /** Offers the next result of a partition; returns how many of its rows are first copies. */
  offer(place: MessagePlace, result: Result): number {
    const { partition, offset } = place
    const where = describe(place)
    const head = this.#heads[partition]!
    head.read = offset + 1
    if (!this.#enter(head, result)) {
      this.#duplicates += result.count
      return 0
    }
    if (result.count > 0) this.#learn(result)
    const last = result.first + result.count
    const behind = Math.min(last, this.#limit(partition, result.epoch))
    if (behind <= head.offered) {
      this.#duplicates += result.count
      return 0
    }
    if (head.end) throw this.#malformed(where, `row ${this.#seqAt(partition, behind - 1)} lies behind the end of input`)
    if (result.first > head.offered) throw this.#gap(partition, result.first, where)
    const firstCopies = behind - head.offered
    this.#duplicates += result.count - firstCopies
    head.offered = behind
    head.held.push({ result, offset, behind })
    return firstCopies
  }

  /** Offers a barrier: the message without rows that a publisher puts into every partition when its epoch begins. */
  barrier({ partition, offset }: MessagePlace, barrier: Pick<Rows, 'epoch'>): void {
    const head = this.#heads[partition]!
    head.read = offset + 1
    this.#enter(head, barrier)
  }

  /** Offers the end of input of a partition. */
  end(place: MessagePlace, end: EndOfInput): void {
    const { partition, offset } = place
    const where = describe(place)
    const head = this.#heads[partition]!
    head.read = offset + 1
    if (!this.#enter(head, end) || end.epoch < this.#epoch) return // another publisher went on behind it
    this.#learn(end)
    const first = this.#end ?? end
    const agrees = end.total === first.total && end.partition === partition
    if (!agrees || end.rows !== rowsInPartition(partition, end.total, this.#layout)) {
      throw this.#malformed(where, `the end of input says ${end.rows} of ${end.total} rows and contradicts another one`)
    }
    if (head.end) return
    if (head.offered < end.rows) throw this.#gap(partition, end.rows, where)
    if (head.offered > end.rows)
      throw this.#malformed(where, `the end of input says ${end.rows} rows, ${head.offered} came`)
    head.end = { value: end, offset }
    this.#end = first
    this.#ends++
  }

  /**
   * The rows that are next in order and there, as runs; empty when the wanted partition has none. It ends where the
   * columns of the output change: call it again until it gives none.
   */
  take(): Run[] {
    const runs: Run[] = []
    let columnsOf: Result | null = null
    for (;;) {
      const partition = partitionOf(this.#seq, this.#layout)
      const head = this.#heads[partition]!
      const held = head.held[0]
      if (!held || (columnsOf && !sameColumns(columnsOf, held.result))) return runs
      const { result, offset, behind } = held
      if (result.rows.length > 0) columnsOf = result
      const count = Math.min(behind - head.next, rowsLeftInBlock(this.#seq, this.#layout))
      const run = { result, partition, offset, index: head.next - result.first, count, seq: this.#seq }
      const rejects = rejectedOf(run).length
      this.#rejects += rejects
      this.#rows += count - rejects
      this.#seq += count
      head.next += count
      if (head.next === behind) head.held.shift()
      runs.push(run)
    }
  }

  /** Whether a message of this epoch counts in this partition. An epoch that begins takes back the ends of earlier ones. */
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

  /** Below this position rows of the epoch count. */
  #limit(partition: number, epoch: number): number {
    let from = Number.POSITIVE_INFINITY
    for (const [later, start] of this.#starts) if (later > epoch) from = Math.min(from, start)
    return Number.isFinite(from) ? rowsInPartition(partition, from, this.#layout) : from
  }

  /**
   * Drops what is held of earlier epochs at or above `from`. Behind rows of a later epoch there are none: its publisher
   * found all rows below its own `from`, so those that this epoch has here came first.
   */
  #learn({ epoch, from }: { epoch: number; from: number }): void {
    if (epoch === 0 || this.#starts.has(epoch)) return
    this.#starts.set(epoch, from)
    this.#heads.forEach((head, partition) => {
      const limit = Math.max(head.next, rowsInPartition(partition, from, this.#layout))
      for (let last = head.held.at(-1); last && last.result.epoch < epoch && last.behind > limit; ) {
        const start = head.held.at(-2)?.behind ?? head.next
        head.offered = Math.max(limit, start)
        this.#duplicates += last.behind - head.offered
        last.behind = head.offered
        if (last.behind > start) return
        head.held.pop()
        last = head.held.at(-1)
      }
    })
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

function describe({ topic, partition, offset }: MessagePlace): string {
  return `${topic}[${partition}]@${offset}`
}
