import type { Barrier, EndOfInput, Rejected, RowsHead } from '../model.ts'
import type { IntervalSet } from './intervals.ts'
import { RowLedger } from './row-ledger.ts'

/** Limit for the messages of one batch. A single row may be larger. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024

/** A rows message with undecoded values: the batcher does not need them. */
export interface RowsMessage {
  readonly head: RowsHead
  readonly bytes: Uint8Array
  /** Set if the row of this message is rejected without being classified. It keeps its place among the results. */
  readonly refusal?: Pick<Rejected, 'reason' | 'detail'>
  /** Where the trace of its producer continues (W3C Trace Context). Only where tracing is on. */
  readonly traceparent?: string
}

/** A record that workers copy to `results`, after the results of all rows before it. */
export type Forwarded =
  | { readonly kind: 'end'; readonly value: EndOfInput }
  | { readonly kind: 'rows'; readonly value: Barrier }

/** Rows for one call of the classifier, from one partition of one job. Their positions are consecutive if they have a sequence. */
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

/** The rows of a batch that came in one message: `count` rows after the first `skip`. */
export interface Part {
  readonly entry: Entry
  readonly message: RowsMessage
  readonly skip: number
  readonly count: number
}

/** An end of input or a barrier on its way to `results`. */
export interface Marker {
  readonly kind: 'marker'
  readonly record: Forwarded
  readonly entry: Entry
}

/** One message of the partition, or some consecutive rows of it, until all its results are acknowledged. */
export interface Entry {
  readonly offset: number
  readonly job: string
  readonly rows: RowsMessage | null
  /** Whether no other entry has rows of the same message. Default: no. */
  readonly isOnly?: boolean
  readonly forwarded: Forwarded | null
  /** Position of the message's first row. */
  readonly position: number
  /** Rows of the message up to the last one of this entry. */
  readonly count: number
  /** How many leading rows of the message are in a batch or in an earlier entry. A marker counts as one row. */
  cut: number
  /** Rows without an acknowledged result. */
  open: number
}

/** What this assignment knows about one job in the partition. */
interface JobSeen {
  readonly ledger: RowLedger
  end: EndOfInput | null
}

/**
 * Cuts the messages of one partition into batches and knows the low-water mark. It lives as long as one assignment. It
 * drops rows that it has seen in this assignment and hands out all others. A jump in the positions closes a batch. It
 * judges no gaps: only a reader that started at position 0 can tell that a row is missing.
 */
export class Batcher {
  /** Rows that are not in a batch yet. */
  waiting = 0
  /** Bytes of these rows. */
  waitingBytes = 0
  /** Rows that were dropped as copies. */
  duplicates = 0
  /** In the order of offsets. */
  #entries: Entry[] = []
  /** Offsets of deferred messages, lowest first, with how often each is deferred. */
  readonly #undecided = new Map<number, number>()
  /** All messages below this offset are settled, except deferred ones. */
  #settled: number
  readonly #jobs = new Map<string, JobSeen>()

  constructor(committed: number) {
    this.#settled = committed
  }

  /** The lowest offset that still has a row without an acknowledged result. It may be committed. */
  get lowWater(): number {
    const [undecided = this.#settled] = this.#undecided.keys()
    const open = this.#entries[0]?.offset ?? this.#settled // below #settled if an entry of the last settled message is still open
    return Math.min(this.#settled, open, undecided)
  }

  /**
   * Adds a rows message. `position` is that of its first row; the caller has checked that the rows belong to this
   * partition. Positions in `done` already have a row and are not handed out.
   */
  addRows(offset: number, message: RowsMessage, position: number, done: IntervalSet | null = null): void {
    const { job, count } = message.head
    const { from, end } = this.#seenOf(job).ledger.take(message.head, position, count)
    this.duplicates += from - position
    const open = done ? done.missing(from, end) : from < end ? [{ from, end }] : []
    const isOnly = open.length === 1
    if (open.length === 0) this.pass(offset)
    for (const rows of open) {
      const [cut, count] = [rows.from - position, rows.end - position]
      this.waiting += count - cut
      this.waitingBytes += bytesOf(message, count - cut)
      this.#push({ offset, job, rows: message, isOnly, forwarded: null, position, count, cut, open: count - cut })
    }
  }

  /** Why rows at these positions contradict the end of input before them, or null. */
  flawOfRows(head: RowsHead, position: number): string | null {
    const marker = this.#endBefore(head)
    const end = position + head.count
    if (!marker || end <= marker.rows) return null
    return `rows up to position ${end - 1} follow the end of input, which says that there are ${marker.rows}`
  }

  /** Why this end of input contradicts the one before it, or null. */
  flawOfEnd(end: EndOfInput): string | null {
    const { rows, total } = end
    const first = this.#endBefore(end)
    if (!first || (first.rows === rows && first.total === total)) return null
    return `the end of input says ${rows} of ${total} rows, and an earlier one says ${first.rows} of ${first.total}`
  }

  addEnd(offset: number, end: EndOfInput): void {
    const seen = this.#seenOf(end.job)
    if (seen.ledger.enter(end.epoch)) {
      seen.end = end
      this.#forward(offset, { kind: 'end', value: end })
    } else this.pass(offset)
  }

  /** A newer publisher has taken over the job: later messages of older publishers in this partition do not count. */
  addBarrier(offset: number, barrier: Barrier): void {
    if (this.#seenOf(barrier.job).ledger.enter(barrier.epoch)) this.#forward(offset, { kind: 'rows', value: barrier })
    else this.pass(offset)
  }

  /** A message without results. Of consecutive ones only the last is kept, so a flood of them takes no memory. */
  pass(offset: number): void {
    const before = this.#entries.at(-1)
    if (before?.open === 0 && before.offset <= offset) this.#entries.pop()
    this.#push({ offset, job: '', rows: null, forwarded: null, position: 0, count: 0, cut: 0, open: 0 })
  }

  /**
   * A message that waits for its job, or whose copy is on its way to `rejects`. Later messages are served, but no offset
   * above this one is committed before each `defer` has had its `decide`. The first `defer` of each message must come in the
   * order of offsets.
   */
  defer(offset: number): void {
    this.#undecided.set(offset, (this.#undecided.get(offset) ?? 0) + 1)
  }

  /** One of the reasons to defer a message is gone. */
  decide(offset: number): void {
    const times = this.#undecided.get(offset) ?? 0
    if (times > 1) this.#undecided.set(offset, times - 1)
    else this.#undecided.delete(offset)
  }

  /** Whether every message is settled. */
  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#undecided.size === 0
  }

  /** The entry where the next batch or marker begins; undefined if there is none. */
  get next(): Entry | undefined {
    return this.#entries.find(entry => entry.cut < entry.count)
  }

  /** The next batch of at most `maxRows` rows; null if there is none, or if a marker comes first. */
  cutBatch(maxRows: number): Batch | null {
    const index = this.#entries.findIndex(entry => entry.cut < entry.count)
    const first = this.#entries[index]
    return first?.rows ? this.#cutBatch(index, first, first.rows, maxRows) : null
  }

  /** The next marker; null until all rows before it are in batches. */
  cutMarker(): Marker | null {
    const entry = this.next
    if (!entry?.forwarded) return null
    entry.cut = 1
    return { kind: 'marker', record: entry.forwarded, entry }
  }

  /** The result of this batch, or the copy of this marker, is acknowledged; or there will be none. */
  settle(done: Batch | Marker): void {
    const parts = done.kind === 'batch' ? done.parts : [{ entry: done.entry, count: 1 }]
    for (const { entry, count } of parts) entry.open -= count
    this.#advance()
  }

  /** Drops the rows of a failed job that are not in a batch yet. */
  drop(job: string): void {
    for (const entry of this.#entries) {
      if (entry.job !== job || entry.cut === entry.count) continue
      if (entry.rows) {
        this.waiting -= entry.count - entry.cut
        this.waitingBytes -= bytesOf(entry.rows, entry.count - entry.cut)
      }
      entry.open -= entry.count - entry.cut
      entry.cut = entry.count
    }
    this.#advance()
  }

  #cutBatch(index: number, first: Entry, { head, refusal }: RowsMessage, maxRows: number): Batch {
    const { job, epoch, from, seq } = head
    const position = first.position + first.cut
    const batch: Batch = { kind: 'batch', job, epoch, from, first: position, offset: first.offset, count: 0, parts: [] }
    let bytes = 0
    for (let i = index; i < this.#entries.length && batch.count < maxRows; i++) {
      const entry = this.#entries[i]!
      if (entry.job !== first.job || entry.cut === entry.count) continue
      const next = entry.rows
      const follows = seq === null || entry.position + entry.cut === batch.first + batch.count
      if (!next || next.head.epoch !== epoch || !follows) break
      if (batch.count > 0 && (refusal || next.refusal)) break // a refused row is a batch of its own
      const count = Math.min(entry.count - entry.cut, maxRows - batch.count)
      bytes += bytesOf(next, count)
      if (batch.count > 0 && bytes > MAX_BATCH_BYTES) break
      this.waitingBytes -= bytesOf(next, count)
      batch.parts.push({ entry, message: next, skip: entry.cut, count })
      batch.count += count
      entry.cut += count
    }
    this.waiting -= batch.count
    return batch
  }

  #seenOf(job: string): JobSeen {
    const known = this.#jobs.get(job)
    if (known) return known
    const seen: JobSeen = { ledger: new RowLedger(), end: null }
    this.#jobs.set(job, seen)
    return seen
  }

  /** The end of input of the same epoch, if this is the newest epoch. */
  #endBefore({ job, epoch }: { job: string; epoch: number }): EndOfInput | null {
    const seen = this.#jobs.get(job)
    return seen?.ledger.epoch === epoch && seen.end?.epoch === epoch ? seen.end : null
  }

  #forward(offset: number, record: Forwarded): void {
    const { job } = record.value
    this.#push({ offset, job, rows: null, forwarded: record, position: 0, count: 1, cut: 0, open: 1 })
  }

  /** Keeps the entries in order: a deferred message arrives after messages with higher offsets. */
  #push(entry: Entry): void {
    let at = this.#entries.length
    while (at > 0 && this.#entries[at - 1]!.offset > entry.offset) at--
    if (at === this.#entries.length) this.#entries.push(entry)
    else this.#entries.splice(at, 0, entry)
    if (entry.open === 0) this.#advance()
  }

  #advance(): void {
    let settled = 0
    while (settled < this.#entries.length && this.#entries[settled]!.open === 0) settled++
    if (settled === 0) return
    this.#settled = Math.max(this.#settled, this.#entries[settled - 1]!.offset + 1)
    this.#entries.splice(0, settled)
  }
}

/** Bytes of so many rows of the message, assuming that all have the same size. */
function bytesOf({ head, bytes }: RowsMessage, rows: number): number {
  return rows * Math.ceil(bytes.length / Math.max(1, head.count))
}

/** A job without rows still needs one call of the classifier: only the classifier knows the output columns. */
export function emptyBatch({ job, epoch, from }: EndOfInput, offset: number): Batch {
  return { kind: 'batch', job, epoch, from, first: 0, offset, count: 0, parts: [] }
}
