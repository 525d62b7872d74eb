import type { Values } from '../model.ts'
import { shapeOf } from './shape.ts'

/** Only so many columns are looked at. */
const MOST_COLUMNS = 30
/** A column in which more than one of so many rows has a cell that came before has groups, which any row alone shows. */
const REPEATED_SHARE = 4
/** A column with more looks is free text. */
const MOST_LOOKS = 6

/** At most `most` rows, as places, of which a cell looks unlike that of the first row, the rarest look of each column first. */
export function unlikeRows(rows: readonly Values[], most: number): number[] {
  const columns = rows[0]?.slice(0, MOST_COLUMNS).map((_, column) => unlikeIn(rows, column)) ?? []
  const inTurns = Array.from({ length: MOST_LOOKS }, (_, turn) =>
    columns.flatMap(places => places.slice(turn, turn + 1)),
  )
  return [...new Set(inTurns.flat())].slice(0, most)
}

/** The first place of each look of a column, without the look of the first row, the rarest first. */
function unlikeIn(rows: readonly Values[], column: number): number[] {
  const looks = new Map<string, { place: number; count: number }>()
  for (const [place, row] of rows.entries()) {
    const look = shapeOf(row[column] ?? '')
    const known = looks.get(look)
    if (known) known.count++
    else if (looks.size < MOST_LOOKS) looks.set(look, { place, count: 1 })
    else return []
  }
  const [, ...others] = [...looks.values()]
  return others.sort((a, b) => a.count - b.count).map(({ place }) => place)
}

/** The places of rows with a cell that came before, in a column in which most cells differ, such as an id or an address. */
export function repeatedRows(rows: readonly Values[]): number[] {
  const columns = rows[0]?.slice(0, MOST_COLUMNS) ?? []
  return [...new Set(columns.flatMap((_, column) => repeatedIn(rows, column)))].sort((a, b) => a - b)
}

function repeatedIn(rows: readonly Values[], column: number): number[] {
  const seen = new Set<string>()
  const repeated: number[] = []
  for (const [place, row] of rows.entries()) {
    const cell = row[column] ?? ''
    if (cell === '') continue
    if (seen.has(cell)) repeated.push(place)
    seen.add(cell)
  }
  return repeated.length * REPEATED_SHARE <= rows.length ? repeated : []
}
