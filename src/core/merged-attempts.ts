import type { EndOfInput, Result } from '../model.ts'

interface FoundResult {
  readonly kind: 'result'
  readonly offset: number
  readonly value: Result
}

/** A result or an end of input, and the offset of its message. */
export type Found = FoundResult | { readonly kind: 'end'; readonly offset: number; readonly value: EndOfInput }

/** What one attempt of a job left in one partition of `results`, in log order. */
export interface AttemptLog {
  /** The next message of the attempt; undefined where none is there by now. */
  next(): Found | undefined
  /** The offset below which everything was given out. */
  readonly read: number
}

/**
 * The results of one partition, over all attempts of the job: of each position that of the latest attempt which has one.
 * An attempt classifies what had no row when it looked, so where it jumps over positions their rows lie before its own
 * result in the log: there, and no further, earlier attempts are read. What no attempt has remains a jump, for the
 * reassembler to judge. Later copies within an attempt are dropped and counted.
 */
export class MergedAttempts {
  duplicates = 0
  readonly #cursors: Cursor[]
  #next: number

  /** `logs` from the first attempt to the last; `next` is the first position to give out. */
  constructor(logs: readonly AttemptLog[], next: number) {
    const dropped = (rows: number) => {
      this.duplicates += rows
    }
    this.#cursors = logs.map(log => new Cursor(log, dropped)).reverse()
    this.#next = next
  }

  /** What comes next in the order of positions, or the end of input of the last attempt; undefined: not known yet. */
  next(): Found | undefined {
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
    if (count === 0) return head // of a job without rows
    const from = Math.max(first, Math.min(this.#next, first + count))
    this.duplicates += from - first
    return this.#give({ ...head, value: cut(head.value, from, first + count) })
  }

  /** What earlier attempts have of the positions up to `behind`, at offsets below `limit`; null where none has the next. */
  #findEarlier(cursors: readonly Cursor[], behind: number, limit: number): FoundResult | null | undefined {
    let jump = behind
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

  #give(found: FoundResult): FoundResult {
    this.#next = found.value.first + found.value.count
    return found
  }
}

/** Reads one attempt as far as it is asked to, and remembers the first thing that it has not passed. */
class Cursor {
  readonly #log: AttemptLog
  readonly #dropped: (rows: number) => void
  #head: Found | null = null

  constructor(log: AttemptLog, dropped: (rows: number) => void) {
    this.#log = log
    this.#dropped = dropped
  }

  /**
   * The first result in the log that ends behind `position`, or the end of input; null where there is none at an offset
   * below `limit`, undefined where that is not known yet.
   */
  reach(position: number, limit: number): Found | null | undefined {
    for (;;) {
      this.#head ??= this.#log.next() ?? null
      const head = this.#head
      if (!head) return this.#log.read >= limit ? null : undefined
      if (head.offset >= limit) return null
      if (head.kind === 'end' || head.value.count === 0 || head.value.first + head.value.count > position) return head
      this.#dropped(head.value.count)
      this.#head = null
    }
  }

  pass(): void {
    this.#head = null
  }
}

/** The part of a result between these positions. */
function cut(result: Result, from: number, behind: number): Result {
  const [start, end] = [from - result.first, behind - result.first]
  if (start === 0 && end === result.count) return result
  const rejected = result.rejected.filter(({ index }) => index >= start && index < end)
  const before = result.rejected.filter(({ index }) => index < start).length
  const rows = result.rows.slice(start - before, end - before - rejected.length)
  const moved = rejected.map(reject => ({ ...reject, index: reject.index - start }))
  return { ...result, first: from, count: end - start, rejected: moved, rows }
}
