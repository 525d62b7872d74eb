import type { Source, SourceHeader } from '../connector.ts'
import { RowmillError } from '../errors.ts'
import { counted } from '../support/counted.ts'
import { packedPiecesOf } from '../wire/packed-source.ts'
import { RowCursor } from '../wire/row-cursor.ts'

/** A record in the source may take so many times its bytes in a message: ISO 8859-1 needs two bytes for an é in UTF-8. */
const GROWTH = 2
/** The most bytes that a value needs in a message besides its text. */
const VALUE_BYTES = 4

/** The longest row that a topic takes. */
export interface RowLimit {
  readonly topic: string
  readonly bytes: number
}

/** Throws INPUT_ROW_TOO_LARGE, with the line, if a row is longer than its topic takes. */
export function checkRow(
  bytes: number,
  { seq, line }: { seq: number; line: number | null },
  { header, limit }: { header: SourceHeader; limit: RowLimit },
): void {
  if (bytes <= limit.bytes) return
  const place = line === null ? `row ${seq}` : `line ${line}`
  const where = header.identity ? `${header.identity.name}, ${place}` : place
  const message =
    `${where}: the row takes ${counted(bytes, 'byte')}, and topic ${limit.topic} takes rows of at most ${limit.bytes}. ` +
    'Shorten its cells, or raise max.message.bytes of the topic (max.request.size of this client may limit it too)'
  throw new RowmillError('INPUT_ROW_TOO_LARGE', message, {
    ...(line === null ? { seq } : { line }),
    bytes,
    limit: limit.bytes,
  })
}

/**
 * Finds a row that is too long before any row is sent, if the source can tell. Reads it only if its longest record makes
 * that possible. Throws INPUT_ROW_TOO_LARGE.
 */
export async function checkRowsFit(source: Source, at: { header: SourceHeader; limit: RowLimit }): Promise<void> {
  const { longestBytes, columns } = at.header
  if (longestBytes === undefined || GROWTH * longestBytes + VALUE_BYTES * columns.length <= at.limit.bytes) return
  let seq = 0
  for await (const piece of packedPiecesOf(source)) {
    if (!('packed' in piece)) return // `publish` will tell what is wrong with it
    const row = new RowCursor(piece.packed)
    for (let i = 0; row.next(); i++) checkRow(row.end - row.from, { seq: seq++, line: piece.lines?.[i] ?? null }, at)
  }
}
