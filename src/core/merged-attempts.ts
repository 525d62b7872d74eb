import type { EndOfInput, Result } from '../model.ts'
import { startOf } from './result-slice.ts'

interface AttemptResult {
  readonly kind: 'result'
  readonly offset: number
  readonly value: Result
}

/** A result or an end of input, and the offset of its message. */
export type AttemptMessage =
  | AttemptResult
  | { readonly kind: 'end'; readonly offset: number; readonly value: EndOfInput }

/** The messages of one attempt in one partition of `results`, in log order. */
export interface AttemptLog {
  /** The next message of the attempt; undefined if it has not arrived. */
  next(): AttemptMessage | undefined
  /** Every message of the attempt below this offset was returned. */
  readonly read: number
}

/**
 * Merges the results of all attempts in one partition. Each position gets the result of the latest attempt that has one.
 *
 * An attempt classifies the positions that have no row when it starts. So if it jumps over positions, their rows are
 * before its own result in the log. Earlier attempts are read only up to that result, and nobody waits for more. A position
 * that no attempt has stays a jump, and the reassembler judges it. Copies within an attempt are dropped and counted.
 *
 * It needs no RowLedger: `#next` is the first position still to be returned, over all attempts, and only positions from there
 * on count.
 */
export class MergedAttempts {
  duplicates = 0
  readonly #cursors: AttemptCursor[]
  #next: number

  /** `logs` are in the order of the attempts. `next` is the first position to return. */
  constructor(logs: readonly AttemptLog[], next: number) {
    const dropped = (rows: number) => {
      this.duplicates += rows
    }
    this.#cursors = logs.map(log => new AttemptCursor(log, dropped)).reverse()
    this.#next = next
  }

  /** The next result in the order of positions, or the end of input of the last attempt; undefined if not known yet. */
  next(): AttemptMessage | undefined {
    const [latest, ...earlier] = this.#cursors
    const head = latest!.reach(this.#next, Number.POSITIVE_INFINITY)
    if (!head) return undefined
    const jump = head.kind === 'end' ? head.value.rows : head.value.first
    if (jump > this.#next) {
      const found = this.#findEarlier(earlier, jump, head.offset)
      if (found === undefined) return undefined
      if (found !== null) return this.#give(found)
    }
    latest!.pass()
    if (head.kind === 'end') return head
    const { first, count } = head.value
    if (count === 0) return head // the only result of a job without rows
    const from = Math.max(first, Math.min(this.#next, first + count))
    this.duplicates += from - first
    return this.#give({ ...head, value: cut(head.value, from, first + count) })
  }

  /** The next result of earlier attempts, up to position `end` and below offset `limit`; null if none has the next position. */
  #findEarlier(cursors: readonly AttemptCursor[], end: number, limit: number): AttemptResult | null | undefined {
    let jump = end
    for (const cursor of cursors) {
      const head = cursor.reach(this.#next, limit)
      if (head === undefined) return undefined
      if (head?.kind !== 'result') continue
      const { first, count } = head.value
      if (first <= this.#next) return { ...head, value: cut(head.value, this.#next, Math.min(first + count, jump)) }
      jump = Math.min(jump, first)
    }
    return null
  }

  #give(found: AttemptResult): AttemptResult {
    this.#next = found.value.first + found.value.count
    return found
  }
}

/** Reads one attempt on demand, and keeps the first message that was not passed. */
class AttemptCursor {
  readonly #log: AttemptLog
  readonly #dropped: (rows: number) => void
  #head: AttemptMessage | null = null
  /** The position after the last one that was read and is not in the head. */
  #end = 0

  constructor(log: AttemptLog, dropped: (rows: number) => void) {
    this.#log = log
    this.#dropped = dropped
  }

  /**
   * The first result with rows from `position` on, or the end of input. Null if there is none below offset `limit`;
   * undefined if that is not known yet.
   */
  reach(position: number, limit: number): AttemptMessage | null | undefined {
    for (;;) {
      this.#head ??= this.#log.next() ?? null
      const head = this.#head
      if (!head) return this.#log.read >= limit ? null : undefined
      if (head.offset >= limit) return null
      if (head.kind === 'end' || head.value.count === 0 || head.value.first + head.value.count > position) return head
      this.#countCopies(head.value)
      this.#head = null
    }
  }

  /** Rows at positions that this attempt had before are copies. Others gave way to a later attempt, or were returned. */
  #countCopies({ first, count }: Result): void {
    this.#dropped(Math.max(0, Math.min(first + count, this.#end) - first))
    this.#reached({ first, count })
  }

  #reached({ first, count }: Pick<Result, 'first' | 'count'>): void {
    this.#end = Math.max(this.#end, first + count)
  }

  pass(): void {
    if (this.#head?.kind === 'result') this.#reached(this.#head.value)
    this.#head = null
  }
}

/** The part of a result from position `from` to position `to - 1`. */
function cut(result: Result, from: number, to: number): Result {
  const [start, end] = [from - result.first, to - result.first]
  if (start === 0 && end === result.count) return result
  const rejected = result.rejected.filter(({ index }) => index >= start && index < end)
  const rows = result.rows.slice(startOf(result, start), startOf(result, end))
  const moved = rejected.map(reject => ({ ...reject, index: reject.index - start }))
  const outputs = result.outputs?.slice(start, end) ?? null
  return { ...result, first: from, count: end - start, rejected: moved, outputs, rows }
}
