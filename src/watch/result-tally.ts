import { RowLedger } from '../core/row-ledger.ts'
import { rowsInPartition, seqOf } from '../core/sequence.ts'
import type { EndOfInput, Job } from '../model.ts'
import type { RejectedHead, ResultOutline, ResultsHead } from '../wire/result-head.ts'
import { OTHER_REASON, PositionTally } from './position-tally.ts'
import { RateWindow } from './rate-window.ts'
import type { RejectView } from './view.ts'

/** How many rejects are kept: some of the last ones may get a row in a later attempt. */
const KEPT_REJECTS = 20
const SHOWN_REJECTS = 5
const DETAIL_CHARS = 500

/** What is known of a job from its results. */
export interface JobCounts {
  readonly classified: number
  readonly rejected: number
  readonly byReason: Readonly<Record<string, number>>
  /** Oldest first. */
  readonly lastRejects: readonly RejectView[]
  readonly partitions: readonly PartitionCounts[]
  /** How many partitions of the latest attempt have their end of input in `results`. */
  readonly ends: number
  /** The first partition without it. Null: all have it, or the job has no sequence. */
  readonly firstWithoutEnd: number | null
  /** The lowest row that an earlier attempt rejected, and that the latest one has not classified yet. Null: there is none. */
  readonly firstAgain: { readonly row: number; readonly partition: number } | null
  /** The lowest row without a result: its seq, and its partition. Null: the job has no sequence. */
  readonly firstMissing: { readonly row: number; readonly partition: number } | null
}

export interface PartitionCounts {
  readonly classified: number
  readonly rejected: number
  /** Rows that earlier attempts rejected, and that the latest one has not classified yet. */
  readonly again: number
  /** Of a job without sequence: every row below this offset has a result. */
  readonly upTo: number
}

interface KeptReject extends RejectView {
  readonly partition: number
  readonly position: number
}

/**
 * Counts the results of one job. It takes the messages of `results` as they are read, the first copy of each row counts, and
 * attempts and epochs count as they do for a collector. It keeps no cell.
 */
export class ResultTally {
  readonly window = new RateWindow()
  readonly #job: Pick<Job, 'partitions' | 'blockRows' | 'sequenced'>
  readonly #partitions: PositionTally[]
  readonly #unsequenced: UnsequencedTally[] = []
  /** By partition. */
  readonly #ends = new Map<number, EndOfInput>()
  /** For each newer epoch, the first seq that is its own. */
  readonly #starts = new Map<number, number>()
  readonly #rejects: KeptReject[] = []

  constructor(job: Pick<Job, 'partitions' | 'blockRows' | 'sequenced'>) {
    this.#job = job
    this.#partitions = Array.from({ length: job.partitions }, () => new PositionTally())
  }

  /**
   * Takes a message of `results`. `at`: when the broker appended it, in ms since 1970. `isAfterLoss`: earlier ones were deleted.
   * Returns how many rows it brings.
   */
  take(partition: number, { kind, value }: ResultsHead, at: number, isAfterLoss = false): number {
    if (!this.#job.sequenced) return kind === 'result' ? this.#takeUnsequenced(partition, value, at) : 0
    const here = this.#partitions[partition]
    if (!here || value.epoch < here.epoch) return 0
    here.epoch = value.epoch
    if (kind !== 'rows') this.#learn(value)
    const limit = this.#limit(partition, value.epoch)
    if (kind === 'end') this.#ends.set(partition, value)
    if (kind === 'end' && isAfterLoss) here.addBefore({ attempt: value.attempt, first: value.rows }, limit)
    if (kind !== 'result') return 0
    if (isAfterLoss) here.addBefore(value, limit)
    const { rows, rejects } = here.add(value, limit)
    this.#count(here.window, at, rows)
    for (const index of rejects) this.#keep(partition, value, value.rejected[index]!)
    return rows
  }

  /** The rate of one partition, in rows a second. */
  rateOf(partition: number, now: number): number {
    return (this.#partitions[partition] ?? this.#unsequenced[partition])?.window.rate(now) ?? 0
  }

  /** When the broker appended the last result of a partition that brought rows. Null: none did. */
  lastAt(partition: number): number | null {
    return (this.#partitions[partition] ?? this.#unsequenced[partition])?.window.lastAt ?? null
  }

  /** Whether the row of this seq has a result. */
  has(partition: number, position: number, attempts: readonly number[]): boolean {
    return this.#partitions[partition]?.tallied(attempts).seen.has(position) ?? false
  }

  /** `attempts`: those whose results count, in order. */
  counts({ attempt, epoch }: Pick<Job, 'attempt' | 'epoch'>, attempts: readonly number[]): JobCounts {
    if (!this.#job.sequenced)
      return countsOf(
        this.#unsequenced,
        this.#lastRejects(() => true),
      )
    const partitions = this.#partitions.map(partition => partition.tallied(attempts))
    const byReason: Record<string, number> = Object.create(null)
    for (const { byReason: reasons } of partitions)
      for (const [reason, count] of reasons) if (count > 0) byReason[reason] = (byReason[reason] ?? 0) + count
    const missing = partitions.map(({ seen }, partition) => {
      return { row: seqOf({ partition, position: seen.firstMissing }, this.#job), partition }
    })
    const again = partitions.flatMap(({ firstAgain: position }, partition) =>
      position === null ? [] : [{ row: seqOf({ partition, position }, this.#job), partition }],
    )
    const rejects = partitions.map(tallied => (this.#rejects.length > 0 ? tallied.rejects() : null))
    const isOpen = ({ partition, position }: KeptReject) => rejects[partition]!.has(position)
    const ends = [...this.#ends].flatMap(([partition, end]) =>
      end.attempt === attempt && end.epoch >= epoch ? [{ partition }] : [],
    )
    return {
      classified: sum(partitions.map(({ classified }) => classified)),
      rejected: sum(partitions.map(({ rejected }) => rejected)),
      byReason,
      lastRejects: this.#lastRejects(isOpen),
      partitions: partitions.map(({ classified, rejected, again }) => ({ classified, rejected, again, upTo: 0 })),
      ends: ends.length,
      firstWithoutEnd: this.#partitions.map((_, p) => p).find(p => !ends.some(end => end.partition === p)) ?? null,
      firstAgain: again.length === 0 ? null : lowest(again),
      firstMissing: lowest(missing),
    }
  }

  #takeUnsequenced(partition: number, result: ResultOutline, at: number): number {
    while (this.#unsequenced.length <= partition) this.#unsequenced.push(new UnsequencedTally())
    const here = this.#unsequenced[partition]!
    const rows = here.add(result)
    this.#count(here.window, at, rows)
    if (rows > 0) for (const reject of result.rejected) this.#keep(partition, result, reject)
    return rows
  }

  #count(window: RateWindow, at: number, rows: number): void {
    if (rows === 0) return
    window.add(at, rows)
    this.window.add(at, rows)
  }

  /** The end of the positions where rows of the epoch count. */
  #limit(partition: number, epoch: number): number {
    const later = [...this.#starts].filter(([start]) => start > epoch).map(([, from]) => from)
    return later.length === 0 ? Number.POSITIVE_INFINITY : rowsInPartition(partition, Math.min(...later), this.#job)
  }

  /** A producer that took over sends the rows from `from` on itself, whatever an older one sent of them. */
  #learn({ epoch, from }: { epoch: number; from: number }): void {
    if (epoch === 0 || this.#starts.has(epoch)) return
    this.#starts.set(epoch, from)
    for (const [partition, end] of this.#ends) if (end.epoch < epoch) this.#ends.delete(partition)
    for (const [partition, tally] of this.#partitions.entries())
      if (tally.epoch <= epoch) tally.removeFrom(rowsInPartition(partition, from, this.#job))
    const reached = Math.min(...this.#partitions.map(tally => tally.epoch))
    for (const start of this.#starts.keys()) if (start <= reached && start !== epoch) this.#starts.delete(start)
  }

  #keep(partition: number, { first }: ResultOutline, { index, seq, line, reason, detail }: RejectedHead): void {
    this.#rejects.push({
      ...{ partition, position: first + index, row: seq, line },
      ...{ reason: reason.slice(0, DETAIL_CHARS), detail: detail.slice(0, DETAIL_CHARS) },
    })
    if (this.#rejects.length > KEPT_REJECTS) this.#rejects.shift()
  }

  #lastRejects(isOpen: (reject: KeptReject) => boolean): RejectView[] {
    const isLatest = ({ partition, position }: KeptReject, i: number) =>
      !this.#rejects.some((later, j) => j > i && later.partition === partition && later.position === position)
    const open = this.#rejects.filter((reject, i) => isOpen(reject) && isLatest(reject, i)).slice(-SHOWN_REJECTS)
    return open.map(({ row, line, reason, detail }) => ({ row, line, reason, detail }))
  }
}

/** One partition of a job without sequence. Its positions are offsets, which rows of other jobs share, so it keeps no set. */
class UnsequencedTally {
  readonly window = new RateWindow()
  readonly byReason = new Map<string, number>()
  classified = 0
  rejected = 0
  /** Every row below this offset has a result. */
  upTo = 0
  readonly #ledger = new RowLedger()

  /** Returns how many rows count: all of the result, or none. */
  add(result: ResultOutline): number {
    const { from, end } = this.#ledger.take(result, result.first, result.count)
    this.upTo = Math.max(this.upTo, end)
    if (from > result.first) return 0
    this.classified += end - from
    this.rejected += result.rejected.length
    for (const { reason } of result.rejected) {
      const key = this.byReason.has(reason) || this.byReason.size < 30 ? reason : OTHER_REASON
      this.byReason.set(key, (this.byReason.get(key) ?? 0) + 1)
    }
    return end - from
  }
}

function countsOf(partitions: readonly UnsequencedTally[], lastRejects: readonly RejectView[]): JobCounts {
  const byReason: Record<string, number> = Object.create(null)
  for (const { byReason: reasons } of partitions)
    for (const [reason, count] of reasons) byReason[reason] = (byReason[reason] ?? 0) + count
  return {
    classified: sum(partitions.map(({ classified }) => classified)),
    rejected: sum(partitions.map(({ rejected }) => rejected)),
    byReason,
    lastRejects,
    partitions: partitions.map(({ classified, rejected, upTo }) => ({ classified, rejected, again: 0, upTo })),
    ends: 0,
    firstWithoutEnd: null,
    firstAgain: null,
    firstMissing: null,
  }
}

function lowest<T extends { readonly row: number }>(rows: readonly T[]): T {
  return rows.reduce((first, next) => (next.row < first.row ? next : first))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0)
}
