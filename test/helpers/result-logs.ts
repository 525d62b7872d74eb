import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Reassembler } from '../../src/core/reassembler.ts'
import { rowsOf } from '../../src/core/result-slice.ts'
import type { SequenceCheckpoint } from '../../src/core/row-order.ts'
import type { EndOfInput, Result } from '../../src/model.ts'

/** A result: `size` rows from `back` before the end of its partition's log so far; bit i of `rejects` rejects row i. */
interface Cut {
  readonly size: number
  readonly back: number
  readonly rejects: number
}

export interface AnyJob {
  readonly partitions: number
  readonly blockRows: number
  readonly total: number
  /** Used cyclically, from a different start for each partition. */
  readonly cuts: readonly Cut[]
  /** Copies that come after the end of input. */
  readonly late: readonly Cut[]
  readonly attempt: number
  /** Whether first copies reject rows; if not, copies are of a later attempt. */
  readonly rejecting: boolean
}

const anyCut: fc.Arbitrary<Cut> = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  back: fc.constantFrom(0, 0, 0, 1, 3, 8, 40),
  rejects: fc.oneof(fc.constant(0), fc.nat(0xfff)),
})

export const anyJob: fc.Arbitrary<AnyJob> = fc.record({
  partitions: fc.integer({ min: 1, max: 7 }),
  blockRows: fc.integer({ min: 1, max: 6 }),
  total: fc.nat(120),
  cuts: fc.array(anyCut, { minLength: 1, maxLength: 30 }),
  late: fc.array(anyCut, { maxLength: 4 }),
  attempt: fc.nat(2),
  rejecting: fc.boolean(),
})

export type Log = (Result | EndOfInput)[]

export const isResult = (item: Result | EndOfInput): item is Result => 'count' in item

/** The seqs of the first `total` rows, by partition. */
export function deal({ partitions, blockRows }: AnyJob, total: number): number[][] {
  const hands: number[][] = Array.from({ length: partitions }, () => [])
  for (let seq = 0; seq < total; seq++) hands[Math.floor(seq / blockRows) % partitions]!.push(seq)
  return hands
}

/** One for all results: typed arrays are slow to make. */
const CLASSIFIER = new Uint8Array(8)

interface Copy extends Pick<Cut, 'size' | 'rejects'> {
  readonly first: number
  readonly attempt: number
  readonly by: string
}

/** The cells of a row say which copy it is. */
export function copy(seqs: readonly number[], { first, size, rejects, attempt, by }: Copy): Result {
  const own = seqs.slice(first, first + size)
  const rejected = own.flatMap((seq, index) =>
    (rejects >> index) & 1 ? [{ index, seq, line: null, reason: 'FAILED', detail: '', values: [] }] : [],
  )
  const rows = own.flatMap((seq, index) => ((rejects >> index) & 1 ? [] : [[`row ${seq} of ${by}`]]))
  const stamp = { classifier: CLASSIFIER, by, columns: ['c'], kinds: ['text'] }
  return {
    job: 'j',
    epoch: 0,
    from: 0,
    attempt,
    first,
    count: own.length,
    offset: 0,
    ...stamp,
    rejected,
    outputs: null,
    rows,
  }
}

/** What workers leave in the log of each partition: every row, first copies in order, and an end of input. */
export function logsOf(job: AnyJob): Log[] {
  const { cuts, late, total, rejecting } = job
  const hands = deal(job, total)
  return hands.map((seqs, partition) => {
    const log: Log = []
    const add = ({ size, back, rejects }: Cut, next: number): number => {
      const first = Math.max(0, next - back)
      const again = first + size <= next
      const attempt = again && !rejecting ? job.attempt + 1 : job.attempt
      const mask = again || rejecting ? rejects : 0
      log.push(copy(seqs, { first, size, rejects: mask, attempt, by: `${partition}.${log.length}` }))
      return Math.max(next, first + size)
    }
    for (let next = 0, at = partition; next < seqs.length; at++) {
      const cut = cuts[at % cuts.length]!
      next = add(at % cuts.length === 0 ? { ...cut, back: 0 } : cut, next)
    }
    const end = { job: 'j', epoch: 0, from: 0, attempt: job.attempt, partition, rows: seqs.length, total }
    log.push(end)
    for (const cut of late) {
      if (cut.back === 0) log.push({ ...end })
      else if (seqs.length > 0) add({ ...cut, size: Math.min(cut.size, cut.back) }, seqs.length)
    }
    return log
  })
}

/** The expected outcome of the results read so far, by the rule alone, with a list of all rows and no heads. */
class Model {
  /** Seq to the row of its first copy; null: rejected. */
  readonly firsts = new Map<number, string | null>()
  readonly ended = new Set<number>()
  readonly #hands: number[][]
  duplicates = 0

  constructor(job: AnyJob) {
    // Some rows more, for logs with rows above the end.
    this.#hands = deal(job, job.total + 20 * job.partitions)
  }

  read(partition: number, item: Result | EndOfInput): number {
    if (!isResult(item)) {
      this.ended.add(partition)
      return 0
    }
    const rows = item.rows[Symbol.iterator]()
    let firstCopies = 0
    for (let index = 0; index < item.count; index++) {
      const seq = this.#hands[partition]![item.first + index]!
      const row = item.rejected.some(rejected => rejected.index === index) ? null : rows.next().value![0]!
      if (this.firsts.has(seq)) this.duplicates++
      else {
        this.firsts.set(seq, row)
        firstCopies++
      }
    }
    return firstCopies
  }

  /** The rows before the first hole. */
  get inOrder(): (string | null)[] {
    const found: (string | null)[] = []
    for (let row = this.firsts.get(0); row !== undefined; row = this.firsts.get(found.length)) found.push(row)
    return found
  }
}

/** Reads logs into a Reassembler and compares its output with the model, whenever something is taken. */
export class Reading {
  readonly reassembler: Reassembler
  readonly model: Model
  readonly out: string[] = []
  readonly #job: AnyJob
  readonly #logs: Log[]
  /** The number of positions taken, including rejects. */
  #handedOut = 0
  /** How much of each log was read. */
  readonly #offsets: number[]

  constructor(job: AnyJob, logs: Log[]) {
    this.#job = job
    this.#logs = logs.map(log => [...log])
    this.#offsets = logs.map(() => 0)
    const counts = { rows: 0, rejects: 0, duplicates: 0 }
    this.reassembler = new Reassembler('j', job, { seq: 0, counts, offsets: [...this.#offsets] })
    this.model = new Model(job)
  }

  /** As the collector: the wanted partition next, until complete. */
  wanted(): void {
    while (!this.reassembler.complete) if (this.step(this.reassembler.wanted!) > 0) this.take()
    this.take()
  }

  /** Everything, in an order that `dice` decide. */
  any(dice: readonly number[]): void {
    while (this.some(dice));
    this.take()
  }

  /** One message for each of the `dice`; false when nothing is left. */
  some(dice: readonly number[]): boolean {
    for (const thrown of dice) {
      const left = this.#logs.flatMap((log, partition) => (log.length > 0 ? [partition] : []))
      if (left.length === 0) return false
      this.step(left[thrown % left.length]!)
      if (thrown % 3 === 0) this.take()
    }
    return true
  }

  step(partition: number): number {
    const item = this.#logs[partition]?.shift()
    assert.ok(item, `partition ${partition} has no more to give`)
    const place = { topic: 'results', partition, offset: this.#offsets[partition]!++ }
    const firstCopies = isResult(item) ? this.reassembler.offer(place, item) : 0
    if (!isResult(item)) this.reassembler.end(place, item)
    assert.equal(firstCopies, this.model.read(partition, item))
    this.#checkComplete()
    return firstCopies
  }

  take(): void {
    const { reassembler, model } = this
    const { partitions, blockRows, total } = this.#job
    const expected = model.inOrder
    const rows = expected.filter(row => row !== null)
    const taken = reassembler.take().flatMap(rowsOf)
    assert.deepEqual(
      taken.map(([cell]) => cell),
      rows.slice(this.out.length),
    )
    this.out.push(...taken.map(([cell]) => cell!))
    const { duplicates } = model
    assert.deepEqual(reassembler.counts, { rows: rows.length, rejects: expected.length - rows.length, duplicates })
    this.#handedOut = expected.length
    this.#checkComplete()
    if (reassembler.complete) return
    const { wanted } = reassembler
    if (expected.length < total) assert.equal(wanted, Math.floor(expected.length / blockRows) % partitions)
    else assert.ok(wanted !== null && !model.ended.has(wanted), `partition ${wanted} is wanted but has ended`)
  }

  /** What another reassembler hands out after resuming here, like a restarted collector. */
  rest(logs: readonly Log[]): string[] {
    const checkpoint: SequenceCheckpoint = JSON.parse(JSON.stringify(this.reassembler.checkpoint))
    const again = new Reassembler('j', this.#job, checkpoint)
    const cursor = [...checkpoint.offsets]
    const out: string[] = []
    for (let partition = again.wanted; partition !== null; partition = again.wanted) {
      const place = { topic: 'results', partition, offset: cursor[partition]!++ }
      const item = logs[partition]![place.offset]!
      assert.ok(item, `partition ${partition} has no more to give`)
      if (isResult(item)) again.offer(place, item)
      else again.end(place, item)
      out.push(
        ...again
          .take()
          .flatMap(rowsOf)
          .map(([cell]) => cell!),
      )
    }
    const { rows, rejects } = again.counts
    assert.deepEqual([rows, rows + rejects], [this.out.length + out.length, this.#job.total])
    return out
  }

  #checkComplete(): void {
    const { total, partitions } = this.#job
    assert.equal(this.reassembler.complete, this.#handedOut === total && this.model.ended.size === partitions)
  }
}
