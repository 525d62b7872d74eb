import type { PackedRows } from '../connector.ts'
import type { Values } from '../model.ts'
import { PackedCursor } from '../wire/packed-cursor.ts'
import { packRows } from '../wire/packed-rows.ts'

/** Cells that a sink damages easily: by its own separators and escapes, by a type, by an encoding, by a limit. */
const TEXTS: readonly string[] = [
  'a comma, and "quotes"',
  'two\r\nlines\nor three',
  '',
  '  blanks ',
  'ü, 靴 and 👟',
  'u\u0308 in two characters',
  '007',
  'null',
  `it's 50 % \\N\t{}`,
  'long '.repeat(2000),
]
const DIFFERENT: readonly Values[] = TEXTS.map((text, id) => [`${id}`, text])

/** What a job writes in `testSink`. The last two rows are equal: results may be. */
export const ROWS: readonly Values[] = [...DIFFERENT, DIFFERENT.at(-1)!]

/** The notes of three checkpoints. Each is shorter than the one before, as a note may be. */
export const NOTES = [500, 300, 100].map(noteOf) as [string, string, string]

/** Like a note of the collector: JSON, and longer the more partitions a job has. */
function noteOf(partitions: number): string {
  const offsets = Array.from({ length: partitions }, (_, partition) => partition * 1_000_003)
  return JSON.stringify({ job: 'shoes', columns: [`"ü", 靴 and it's 50 % \\N\n`], offsets })
}

/** Rows as `writePacked` gets them. */
export function packed(rows: readonly Values[]): PackedRows {
  const bytes = Buffer.from(packRows(rows)!, 'latin1')
  const cursor = new PackedCursor(bytes, 0)
  const count = cursor.next()
  return { bytes: bytes.subarray(cursor.at, -1), count }
}
