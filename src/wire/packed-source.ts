import type { PackedSourceRows, Source, SourceRows } from '../connector.ts'
import { packedRows } from './packed-rows.ts'

/** About how many characters of rows are packed at a time. */
const PIECE_CHARACTERS = 1024 * 1024

/**
 * The rows of a source as bytes. If UTF-8 cannot carry a value, its piece stays as texts, and the encoder of messages refuses it
 * with the reason. Each piece may overwrite the one before it.
 */
export async function* packedPiecesOf(source: Source): AsyncGenerator<PackedSourceRows | SourceRows> {
  for await (const piece of source.packed?.() ?? source.rows()) {
    if ('packed' in piece) yield piece
    else for (const part of partsOf(piece)) yield packedPiece(part)
  }
}

function packedPiece(piece: SourceRows): PackedSourceRows | SourceRows {
  const packed = packedRows(piece.rows)
  return packed === null ? piece : { packed, lines: piece.lines }
}

/** A source may yield all its rows at once, and no text can hold them. */
function* partsOf(piece: SourceRows): Generator<SourceRows> {
  const { rows, lines } = piece
  let [from, characters] = [0, 0]
  for (let at = 0; at < rows.length; at++) {
    for (const value of rows[at]!) characters += typeof value === 'string' ? value.length : 0
    if (characters < PIECE_CHARACTERS) continue
    yield { rows: rows.slice(from, at + 1), lines: lines?.slice(from, at + 1) ?? null }
    from = at + 1
    characters = 0
  }
  if (from === 0) yield piece
  else if (from < rows.length) yield { rows: rows.slice(from), lines: lines?.slice(from) ?? null }
}
