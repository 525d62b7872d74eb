import type { Barrier, EndOfInput, Rejected, RowsHead } from '../model.ts'
import type { IntervalSet } from './intervals.ts'

/** What the messages of one batch take at most; one row alone may be larger. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024

/** A rows message whose values are still bytes: nothing here needs them. */
export interface RowsMessage {
  readonly head: RowsHead
  readonly bytes: Uint8Array
  /** Why its one row is rejected without being classified; it keeps its place among the others. */
  readonly refusal?: Pick<Rejected, 'reason' | 'detail'>
}

/** What is forwarded behind the last result before it: the end of input of a partition, or where an epoch begins in it. */
export type Forwarded =
  | { readonly kind: 'end'; readonly value: EndOfInput }
  | { readonly kind: 'rows'; readonly value: Barrier }

/** Rows for one call of the classifier: consecutive positions of one partition of one job, or rows without a sequence. */
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

/** A message that is forwarded as it is. */
export interface Marker {
  readonly kind: 'marker'
  readonly record: Forwarded
  readonly entry: Entry
}

/** One message of the partition, or a run of its rows, until everything that came of it is acknowledged. */
export interface Entry {
  readonly offset: number
  readonly job: string
  readonly rows: RowsMessage | null
  readonly forwarded: Forwarded | null
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
  /** Rows that are in no batch yet. */
  waiting = 0
  /** What the messages of these rows take. */
  waitingBytes = 0
  /** Rows dropped because this assignment had seen them. */
  duplicates = 0
  /** In the order of offsets. */
  #entries: Entry[] = []
  /** The offsets that wait for their job to be known, lowest first. */
  readonly #undecided = new Set<number>()
  /** The offset behind the last message that was settled with all before it, but for those that wait. */
  #settled: number
  /** By job, its newest epoch in this partition, and what was seen of that. */
  readonly #epochs = new Map<string, EpochSeen>()

  constructor(committed: number) {
    this.#settled = committed
  }

  /** The lowest offset that still has a row without an acknowledged result: what may be committed. */
  get lowWater(): number {
    const [undecided = this.#settled] = this.#undecided
    const open = this.#entries[0]?.offset ?? this.#settled // the next entry may be of the message settled last
    return Math.min(this.#settled, open, undecided)
  }

  /**
   * `position` is the place of the first row; the caller has checked that the row belongs to this partition. Positions in
   * `done` have a row already and are handed out to nobody.
   */
  addRows(offset: number, message: RowsMessage, position: number, done: IntervalSet | null = null): void {
    const { job, count } = message.head
    const epoch = this.#epochOf(message.head)
    const seen = epoch ? Math.min(count, Math.max(0, epoch.next - position)) : count
    this.duplicates += seen
    if (epoch) epoch.next = Math.max(epoch.next, position + count)
    const [from, behind] = [position + seen, position + count]
    const open = done ? done.missing(from, behind) : from < behind ? [{ from, behind }] : []
    if (open.length === 0) this.pass(offset)
    for (const run of open) {
      const [cut, count] = [run.from - position, run.behind - position]
      this.waiting += count - cut
      this.waitingBytes += bytesOf(message, count - cut)
      this.#push({ offset, job, rows: message, forwarded: null, position, count, cut, open: count - cut })
    }
  }

  /** Why rows with these positions cannot come behind the end of input that came before them, or null. */
  flawOfRows(head: RowsHead, position: number): string | null {
    const end = this.#begun(head)?.end
    const behind = position + head.count
    if (!end || behind <= end.rows) return null
    return `rows up to position ${behind - 1} stand behind the end of input, which says that there are ${end.rows}`
  }

  /** Why this end of input cannot be, given the one before it, or null. */
  flawOfEnd(end: EndOfInput): string | null {
    const { rows, total } = end
    const first = this.#begun(end)?.end
    if (!first || (first.rows === rows && first.total === total)) return null
    return `the end of input says ${rows} of ${total} rows, and another one before it ${first.rows} of ${first.total}`
  }

  addEnd(offset: number, end: EndOfInput): void {
    const epoch = this.#epochOf(end)
    if (epoch) {
      epoch.end = end
      this.#forward(offset, { kind: 'end', value: end })
    } else this.pass(offset)
  }

  /** From here on a newer publisher has the job in this partition: what older ones still send does not count. */
  addBarrier(offset: number, barrier: Barrier): void {
    if (this.#epochOf(barrier)) this.#forward(offset, { kind: 'rows', value: barrier })
    else this.pass(offset)
  }

  /** A message that leads to no result. */
  pass(offset: number): void {
    this.#push({ offset, job: '', rows: null, forwarded: null, position: 0, count: 0, cut: 0, open: 0 })
  }

  /** A message whose job is not known yet: others go on, and nothing above its offset is committed until `decide`. */
  defer(offset: number): void {
    this.#undecided.add(offset)
  }

  /** What a message that was deferred leads to has been added. */
  decide(offset: number): void {
    this.#undecided.delete(offset)
  }

  /** Whether all that came in is settled. */
  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#undecided.size === 0
  }

  /** What the next batch or marker begins with; undefined when there is none. */
  get next(): Entry | undefined {
    return this.#entries.find(entry => entry.cut < entry.count)
  }

  /** The next batch of at most `maxRows` rows; null when there is none, or a marker is to be cut first. */
  cutBatch(maxRows: number): Batch | null {
    const index = this.#entries.findIndex(entry => entry.cut < entry.count)
    const first = this.#entries[index]
    return first?.rows ? this.#cutBatch(index, first, first.rows, maxRows) : null
  }

  /** The next marker, once all rows before it are in batches. */
  cutMarker(): Marker | null {
    const entry = this.next
    if (!entry?.forwarded) return null
    entry.cut = 1
    return { kind: 'marker', record: entry.forwarded, entry }
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
      if (batch.count > 0 && (refusal || next.refusal)) break // what is refused is a batch of its own
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

  /** What was seen of the epoch in this assignment; null where a newer one has begun in this partition. */
  /** What is known of the epoch that this message is of; null: it is not the last one, or nothing of it was added. */
  #begun({ job, epoch }: { job: string; epoch: number }): EpochSeen | null {
    const seen = this.#epochs.get(job)
    return seen?.epoch === epoch ? seen : null
  }

  #epochOf({ job, epoch }: { job: string; epoch: number }): EpochSeen | null {
    const seen = this.#epochs.get(job)
    if (seen && seen.epoch > epoch) return null
    if (seen?.epoch === epoch) return seen
    const begun: EpochSeen = { epoch, next: 0, end: null }
    this.#epochs.set(job, begun)
    return begun
  }

  #forward(offset: number, record: Forwarded): void {
    const { job } = record.value
    this.#push({ offset, job, rows: null, forwarded: record, position: 0, count: 1, cut: 0, open: 1 })
  }

  /** What was deferred comes after messages with higher offsets. */
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

/** What so many rows of the message take, as if all were of the same size. */
function bytesOf({ head, bytes }: RowsMessage, rows: number): number {
  return rows * Math.ceil(bytes.length / Math.max(1, head.count))
}

interface EpochSeen {
  readonly epoch: number
  /** The position behind the last row seen. */
  next: number
  end: EndOfInput | null
}

/** Where the rows of a batch come from, in words: `rows 300 to 399 (from line 302 to 401)`, `the rows at offsets 17 to 90`. */
export function describeBatch({ parts }: Batch): string {
  const [head, tail] = [parts[0], parts.at(-1)]
  if (!head || !tail) return 'no rows'
  if (head.message.head.seq === null) {
    const [first, last] = [head.entry.offset, tail.entry.offset]
    return first === last ? `the row at offset ${first}` : `the rows at offsets ${first} to ${last}`
  }
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
