/** The candidate that `text` is most likely a misspelling of: at most a third of the letters differ. Null where none is. */
export function nearest(text: string, candidates: Iterable<string>): string | null {
  let best: string | null = null
  let least = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const edits = editDistance(text, candidate)
    if (edits >= least || edits * 3 > Math.max(lettersIn(text), lettersIn(candidate))) continue
    least = edits
    best = candidate
  }
  return best
}

/** The dashes of an option are right already, so they prove nothing. */
function lettersIn(text: string): number {
  return text.replace(/^-+/, '').length
}

/**
 * How many characters must be inserted, deleted or replaced, or swapped with their neighbour, to turn `a` into `b`
 * (Damerau-Levenshtein, each place edited once).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, length) => length)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? before[j - 2]! + 1 : replaced
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1))
    }
    before = row
    row = next
  }
  return row[b.length]!
}
