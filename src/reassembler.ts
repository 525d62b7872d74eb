import { RowmillError } from './errors.ts'
import type { EndOfInput, Result, Values } from './model.ts'
import { type Layout, partitionOf, rowsInPartition, rowsLeftInBlock, seqOf } from './sequence.ts'

interface PartitionHead {
  /** The position of the next row to hand out, or, where nothing is held, to be offered. */
  next: number
  /** Results in the order of their positions, without gap or overlap; the first may be handed out in part. */
  readonly held: { result: Result; offset: number; rowOf: (position: number) => Values | null }[]
  /** The position behind the last result held. */
  offered: number
  end: EndOfInput | null
  /** The offset of the end of input, or else the one behind what was offered last. */
  read: number
}

/** Where a message was found. */
export interface MessagePlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Where a reassembler stands: a new one that begins so, and reads `offsets`, goes on without a gap. */
export interface ReassemblerPosition {
  /** The next row to hand out. */
  readonly seq: number
  readonly counts: ReassembledCounts
  /** For each partition the offset of the first message that is not wholly handed out; ends of input never are. */
  readonly offsets: readonly number[]
}

/** The counts of what was handed out so far. */
export interface ReassembledCounts {
  readonly rows: number
  readonly rejects: number
  readonly duplicates: number
}

/**
 * Puts the results of P partitions back in the order of the rows. Whoever calls it reads, for each partition, its
 * results in log order and offers them; which partition is needed next is arithmetic. The first result of a position
 * counts, later ones are dropped and counted. A position that was jumped over is lost: ROW_GAP.
 */
export class Reassembler {
  readonly #layout: Layout
  readonly #heads: PartitionHead[]
  readonly #job: string
  #seq = 0
  #rows = 0
  #rejects = 0
  #duplicates = 0
  #end: EndOfInput | null = null
  #ends = 0

  constructor(job: string, layout: Layout, { seq, counts, offsets }: ReassemblerPosition) {
    this.#job = job
    this.#layout = layout
    this.#seq = seq
    this.#rows = counts.rows
    this.#rejects = counts.rejects
    this.#duplicates = counts.duplicates
    this.#heads = offsets.map((read, partition) => {
      const next = rowsInPartition(partition, seq, layout)
      return { next, held: [], offered: next, end: null, read }
    })
  }

  /** Where the rows stand that were handed out so far. */
  get position(): ReassemblerPosition {
    const offsets = this.#heads.map(({ held, read }) => held[0]?.offset ?? read)
    return { seq: this.#seq, counts: this.counts, offsets }
  }

  get counts(): ReassembledCounts {
    return { rows: this.#rows, rejects: this.#rejects, duplicates: this.#duplicates }
  }

  /** Every row was handed out and every partition has ended. */
  get complete(): boolean {
    return this.#end !== null && this.#seq === this.#end.total && this.#ends === this.#layout.partitions
  }

  /** Records the source refused, once an end of input told. */
  get refused(): number {
    return this.#end?.refused ?? 0
  }

  /** The partition without which nothing goes on: it holds the next row, or its end of input is still missing. */
  get wanted(): number {
    const allRows = this.#end !== null && this.#seq >= this.#end.total
    return allRows ? this.#heads.findIndex(head => head.end === null) : partitionOf(this.#seq, this.#layout)
  }

  /** Offers the next result of a partition; returns how many of its rows are first copies. */
  offer(place: MessagePlace, result: Result): number {
    const { partition, offset } = place
    const where = describe(place)
    const head = this.#heads[partition]!
    if (!head.end) head.read = offset + 1
    const behind = result.first + result.count
    if (behind <= head.offered) {
      this.#duplicates += result.count
      return 0
    }
    if (head.end) throw this.#malformed(where, `row ${this.#seqAt(partition, behind - 1)} lies behind the end of input`)
    if (result.first > head.offered) throw this.#gap(partition, result.first, where)
    const firstCopies = behind - head.offered
    this.#duplicates += result.count - firstCopies
    head.offered = behind
    head.held.push({ result, offset, rowOf: rowFinder(result) })
    return firstCopies
  }

  /** Offers the end of input of a partition. */
  end(place: MessagePlace, end: EndOfInput): void {
    const { partition, offset } = place
    const where = describe(place)
    const head = this.#heads[partition]!
    const first = this.#end ?? end
    const agrees = end.total === first.total && end.refused === first.refused && end.partition === partition
    if (!agrees || end.rows !== rowsInPartition(partition, end.total, this.#layout)) {
      throw this.#malformed(where, `the end of input says ${end.rows} of ${end.total} rows and contradicts another one`)
    }
    if (head.end) return
    if (head.offered < end.rows) throw this.#gap(partition, end.rows, where)
    if (head.offered > end.rows)
      throw this.#malformed(where, `the end of input says ${end.rows} rows, ${head.offered} came`)
    head.end = end
    head.read = offset
    this.#end = first
    this.#ends++
  }

  /** The rows that are next in order and there, without the rejected ones; empty when the wanted partition has none. */
  take(): Values[] {
    const rows: Values[] = []
    for (;;) {
      const head = this.#heads[partitionOf(this.#seq, this.#layout)]!
      const held = head.held[0]
      if (!held) break
      const { result, rowOf } = held
      const behind = result.first + result.count
      const run = Math.min(behind - head.next, rowsLeftInBlock(this.#seq, this.#layout))
      for (let position = head.next; position < head.next + run; position++) {
        const row = rowOf(position)
        if (row) rows.push(row)
        else this.#rejects++
      }
      this.#seq += run
      head.next += run
      if (head.next === behind) head.held.shift()
    }
    this.#rows += rows.length
    return rows
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

/** Finds the row of a position in a result whose rejected rows take a position and no row. */
function rowFinder({ first, rows, rejected }: Result): (position: number) => Values | null {
  if (rejected.length === 0) return position => rows[position - first]!
  const missing = new Set(rejected.map(({ index }) => index))
  const places = new Map<number, Values>()
  let index = 0
  for (const row of rows) {
    while (missing.has(index)) index++
    places.set(first + index++, row)
  }
  return position => places.get(position) ?? null
}
