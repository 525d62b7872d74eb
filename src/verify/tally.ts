import type { EndOfInput } from '../model.ts'

/** Positions that the log skipped: [from, end). */
interface Gap {
  from: number
  end: number
}

/** The first jump of a partition: the position that was due, the one that came (null: the end of input), and where. */
export interface Jump {
  readonly expected: number
  readonly found: number | null
  readonly where: string
}

/**
 * Counts the positions of one partition of a job in the order of the log. The first copy of a position counts, later
 * copies are duplicates. A skipped position is missing, even if it comes later: a reader in the order of the log has lost it.
 */
export class Tally {
  /** The position that is due next. */
  next = 0
  /** Positions that came in order. */
  rows = 0
  duplicates = 0
  missing = 0
  /** Missing positions that came later, out of order. */
  late = 0
  jump: Jump | null = null
  end: EndOfInput | null = null
  /** Where the end of input is. */
  endedAt = ''
  readonly #gaps: Gap[] = []

  /** Counts consecutive positions. Returns the first one that counts; all after it count too. */
  take(first: number, count: number, where: string): number {
    const end = first + count
    if (first > this.next) this.#jumpTo(first, first, where)
    const from = Math.min(end, Math.max(first, this.next))
    const late = this.#fill(first, from)
    this.late += late
    this.duplicates += from - first - late
    this.rows += end - from
    this.next = Math.max(this.next, end)
    return from
  }

  close(end: EndOfInput, where: string): void {
    if (end.rows > this.next) this.#jumpTo(end.rows, null, where)
    this.end = end
    this.endedAt = where
  }

  #jumpTo(position: number, found: number | null, where: string): void {
    this.jump ??= { expected: this.next, found, where }
    this.missing += position - this.next
    this.#gaps.push({ from: this.next, end: position })
    this.next = position
  }

  /** Removes the positions [first, end) from the gaps, and returns how many were in one. */
  #fill(first: number, end: number): number {
    let filled = 0
    for (let i = 0; i < this.#gaps.length; i++) {
      const gap = this.#gaps[i]!
      const from = Math.max(first, gap.from)
      const to = Math.min(end, gap.end)
      if (from >= to) continue
      filled += to - from
      const left = [
        { from: gap.from, end: from },
        { from: to, end: gap.end },
      ].filter(piece => piece.from < piece.end)
      this.#gaps.splice(i, 1, ...left)
      i += left.length - 1
    }
    return filled
  }
}
