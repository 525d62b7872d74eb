import type { EndOfInput } from '../model.ts'

/** Positions that the log jumped over, from `from` up to and without `behind`. */
interface Gap {
  from: number
  behind: number
}

/** The first jump of a partition: what was due, what came instead (null: the end of input), and where. */
export interface Jump {
  readonly expected: number
  readonly found: number | null
  readonly where: string
}

/**
 * Counts the positions of one partition of a job, told in the order of the log. The first copy of a position counts,
 * later ones are duplicates. A position that was jumped over is missing, also when it comes later: every reader that
 * goes by the order of the log has lost it.
 */
export class Tally {
  /** The position that is due next. */
  next = 0
  /** Positions that came when they were due. */
  rows = 0
  duplicates = 0
  missing = 0
  /** Of the missing ones, those that came after all, out of order. */
  late = 0
  jump: Jump | null = null
  end: EndOfInput | null = null
  /** Where the end of input stands. */
  endedAt = ''
  readonly #gaps: Gap[] = []

  /** Counts a run of positions; returns the first that counts. From there on all of them do. */
  take(first: number, count: number, where: string): number {
    const behind = first + count
    if (first > this.next) this.#jumpTo(first, first, where)
    const from = Math.min(behind, Math.max(first, this.next))
    const late = this.#fill(first, from)
    this.late += late
    this.duplicates += from - first - late
    this.rows += behind - from
    this.next = Math.max(this.next, behind)
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
    this.#gaps.push({ from: this.next, behind: position })
    this.next = position
  }

  /** Takes these positions out of the gaps; returns how many of them were in one. */
  #fill(first: number, behind: number): number {
    let filled = 0
    for (let i = 0; i < this.#gaps.length; i++) {
      const gap = this.#gaps[i]!
      const from = Math.max(first, gap.from)
      const to = Math.min(behind, gap.behind)
      if (from >= to) continue
      filled += to - from
      const left = [
        { from: gap.from, behind: from },
        { from: to, behind: gap.behind },
      ].filter(piece => piece.from < piece.behind)
      this.#gaps.splice(i, 1, ...left)
      i += left.length - 1
    }
    return filled
  }
}
