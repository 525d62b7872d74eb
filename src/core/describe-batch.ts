import type { Batch, Part } from './batcher.ts'

/** Where the rows of a batch come from: `rows 300 to 399 (from line 302 to 401)`, `the rows at offsets 17 to 90`. */
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

/** The line of the source where row `index` of the message begins; null if the publisher did not know it. */
export function lineOf({ message }: Part, index: number): number | null {
  const { line, lineSteps } = message.head
  if (line === null) return null
  return lineSteps ? lineSteps.slice(0, index).reduce((at, step) => at + step, line) : line + index
}
