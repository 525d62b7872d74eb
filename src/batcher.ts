import type { IntervalSet } from './intervals.ts'
import type { EndOfInput } from './model.ts'
import type { RowsHead } from './rows-head.ts'

/** A rows message whose values are still bytes: nothing here needs them. */
export interface RowsMessage {
  readonly head: RowsHead
  readonly bytes: Uint8Array
}

/** Rows for one call of the classifier: consecutive positions of one partition of one job. */
export interface Batch {
  readonly kind: 'batch'
  readonly job: string
  readonly epoch: number
  readonly from: number
  readonly first: number
  /** The offset of the message that holds the first position. */
  readonly offset: number
  count: number
  readonly parts: Part[]
}

/** The rows of a batch that came in one message: `count` of them behind its first `skip`. */
export interface Part {
  readonly entry: Entry
  readonly message: RowsMessage
  readonly skip: number
  readonly count: number
}

/** The end of input of one partition, to be forwarded behind its last result. */
export interface Marker {
  readonly kind: 'marker'
  readonly end: EndOfInput
  readonly entry: Entry
}

/** One message of the partition, or a run of its rows, until everything that came of it is acknowledged. */
export interface Entry {
  readonly offset: number
  readonly job: string
  readonly message: RowsMessage | EndOfInput | null
  /** Position of the message's first row. */
  readonly position: number
  /** The rows of the message up to the last one of this run. */
  readonly count: number
  /** Rows that went into a batch so far, or are not of this run; a marker counts as one row. */
  cut: number
  /** Rows whose result is not acknowledged. */
  open: number
}

/**
 * Cuts the messages of one partition into batches and knows the low-water mark. It lives as long as one assignment:
 * what it has seen since then it drops when it comes again, everything else it hands out, and a jump in the positions
 * closes a batch. It judges no gap: whether a row is missing, only a reader from position 0 can say.
 */
export class Batcher {
  /** The lowest offset that still has a row without an acknowledged result: what may be committed. */
  lowWater: number
  /** Rows that are in no batch yet. */
  waiting = 0
  /** Rows dropped because this assignment had seen them. */
  duplicates = 0
  #entries: Entry[] = []
  #nextPosition = new Map<string, number>()
  readonly #ends = new Map<string, EndOfInput>()

  constructor(committed: number) {
    this.lowWater = committed
  }

  /**
   * `position` is the place of the first row; the caller has checked that the row belongs to this partition. Positions in
   * `done` have a row already and are handed out to nobody.
   */
  addRows(offset: number, message: RowsMessage, position: number, done: IntervalSet | null = null): void {
    const { job, epoch, count } = message.head
    const run = runOf(job, epoch)
    const next = this.#nextPosition.get(run) ?? 0
    const seen = Math.min(count, Math.max(0, next - position))
    this.duplicates += seen
    this.#nextPosition.set(run, Math.max(next, position + count))
    const [from, behind] = [position + seen, position + count]
    const open = done ? done.missing(from, behind) : from < behind ? [{ from, behind }] : []
    if (open.length === 0) this.pass(offset)
    for (const run of open) {
      const [cut, count] = [run.from - position, run.behind - position]
      this.waiting += count - cut
      this.#push({ offset, job, message, position, count, cut, open: count - cut })
    }
  }

  /** Why rows with these positions cannot come behind the end of input that came before them, or null. */
  flawOfRows({ job, epoch, count }: RowsHead, position: number): string | null {
    const end = this.#ends.get(runOf(job, epoch))
    if (!end || position + count <= end.rows) return null
    return `rows up to position ${position + count - 1} stand behind the end of input, which says that there are ${end.rows}`
  }

  /** Why this end of input cannot be, given the one before it, or null. */
  flawOfEnd({ job, epoch, rows, total, refused }: EndOfInput): string | null {
    const first = this.#ends.get(runOf(job, epoch))
    if (!first || (first.rows === rows && first.total === total && first.refused === refused)) return null
    return `the end of input says ${rows} of ${total} rows, and another one before it ${first.rows} of ${first.total}`
  }

  addEnd(offset: number, end: EndOfInput): void {
    this.#ends.set(runOf(end.job, end.epoch), end)
    this.#push({ offset, job: end.job, message: end, position: 0, count: 1, cut: 0, open: 1 })
  }

  /** A message that leads to no result. */
  pass(offset: number): void {
    this.#push({ offset, job: '', message: null, position: 0, count: 0, cut: 0, open: 0 })
  }

  /** Whether all that came in is settled. */
  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** The next batch of at most `maxRows` rows; null when there is none, or a marker is to be cut first. */
  cutBatch(maxRows: number): Batch | null {
    const index = this.#entries.findIndex(entry => entry.cut < entry.count)
    const first = this.#entries[index]
    if (!first || isEnd(first.message!)) return null
    return this.#cutBatch(index, first, first.message!, maxRows)
  }

  /** The next marker, once all rows before it are in batches. */
  cutMarker(): Marker | null {
    const entry = this.#entries.find(entry => entry.cut < entry.count)
    if (!entry || !isEnd(entry.message!)) return null
    entry.cut = 1
    return { kind: 'marker', end: entry.message, entry }
  }

  /** The result of this batch, or this marker, is acknowledged; or it leads to none. */
  settle(done: Batch | Marker): void {
    const parts = done.kind === 'batch' ? done.parts : [{ entry: done.entry, count: 1 }]
    for (const { entry, count } of parts) entry.open -= count
    this.#advance()
  }

  /** Gives up the rows of a job that are in no batch yet: it failed. */
  drop(job: string): void {
    for (const entry of this.#entries) {
      if (entry.job !== job || entry.cut === entry.count) continue
      if (!isEnd(entry.message!)) this.waiting -= entry.count - entry.cut
      entry.open -= entry.count - entry.cut
      entry.cut = entry.count
    }
    this.#advance()
  }

  #cutBatch(index: number, first: Entry, { head }: RowsMessage, maxRows: number): Batch {
    const { job, epoch, from } = head
    const position = first.position + first.cut
    const batch: Batch = { kind: 'batch', job, epoch, from, first: position, offset: first.offset, count: 0, parts: [] }
    for (let i = index; i < this.#entries.length && batch.count < maxRows; i++) {
      const entry = this.#entries[i]!
      if (entry.job !== first.job || entry.cut === entry.count) continue
      const next = entry.message!
      const follows = entry.position + entry.cut === batch.first + batch.count
      if (isEnd(next) || next.head.epoch !== epoch || !follows) break
      const count = Math.min(entry.count - entry.cut, maxRows - batch.count)
      batch.parts.push({ entry, message: next, skip: entry.cut, count })
      batch.count += count
      entry.cut += count
    }
    this.waiting -= batch.count
    return batch
  }

  #push(entry: Entry): void {
    this.#entries.push(entry)
    if (entry.open === 0) this.#advance()
  }

  #advance(): void {
    let settled = 0
    while (settled < this.#entries.length && this.#entries[settled]!.open === 0) settled++
    if (settled === 0) return
    const behind = this.#entries[settled - 1]!.offset + 1
    this.#entries.splice(0, settled)
    this.lowWater = Math.min(behind, this.#entries[0]?.offset ?? behind) // the next may be of the same message
  }
}

function runOf(job: string, epoch: number): string {
  return `${epoch}/${job}`
}

function isEnd(message: RowsMessage | EndOfInput): message is EndOfInput {
  return 'partition' in message
}

/** Where the rows of a batch come from, in words: `rows 300 to 399 (from line 302 to 401)`. */
export function describeBatch({ parts }: Batch): string {
  const [head, tail] = [parts[0], parts.at(-1)]
  if (!head || !tail) return 'no rows'
  const last = tail.skip + tail.count - 1
  const [from, to] = [head.message.head.seq! + head.skip, tail.message.head.seq! + last]
  const [fromLine, toLine] = [lineOf(head, head.skip), lineOf(tail, last)]
  const lines = from === to || toLine === null ? fromLine : `${fromLine} to ${toLine}`
  const where = fromLine === null ? '' : ` (from line ${lines})`
  return from === to ? `row ${from}${where}` : `rows ${from} to ${to}${where}`
}

/** The line of the source in which a row of the message begins; null where the publisher knew none. */
export function lineOf({ message }: Part, index: number): number | null {
  const { line, lineSteps } = message.head
  if (line === null) return null
  return lineSteps ? lineSteps.slice(0, index).reduce((at, step) => at + step, line) : line + index
}
