import type { Sink } from '../connector.ts'
import { type ResultSlice, rowsOf, rowsOutOf } from '../core/result-slice.ts'
import type { ChangedCells, WholeColumns } from '../core/whole-columns.ts'
import { packedRowsOf } from '../wire/packed-result.ts'

interface Writing {
  readonly sink: Sink
  /** What must see every row. Null: nothing. */
  readonly whole: WholeColumns | null
  /** What changes cells. Null: they are written as they came. */
  readonly changed: ChangedCells | null
}

/** Writes the rows of a slice, if it has any. They stay bytes if the sink takes bytes, and nobody looks at the cells. */
export async function writeRows(slice: ResultSlice, { sink, whole, changed }: Writing): Promise<void> {
  if (rowsOutOf(slice) === 0) return
  const isRead = changed !== null || whole?.reads(slice.result)
  const packed = sink.writePacked && !isRead ? packedRowsOf(slice) : null
  if (packed) {
    whole?.pass(packed.count)
    return sink.writePacked!(packed)
  }
  const rows = rowsOf(slice)
  whole?.add(rows, slice.result)
  return sink.write(changed?.of(rows, slice.result) ?? rows)
}
