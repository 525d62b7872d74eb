/** Reads single values of a record, for those who need only some of its fields. */
import { type AvroCursor, compileSkip } from './avro-scan.ts'

const skipText = compileSkip('string')

export function readText(cursor: AvroCursor): string {
  const start = cursor.pos
  const length = cursor.unsigned()
  const from = cursor.pos
  cursor.pos = start
  skipText(cursor)
  return cursor.bytes.toString('utf8', from, from + length)
}

/** A union of null and one other type. */
export function optional<T>(cursor: AvroCursor, read: () => T): T | null {
  const branch = cursor.unsigned()
  if (branch > 1) cursor.refuse(`choice ${branch} of 2`)
  return branch === 0 ? null : read()
}
