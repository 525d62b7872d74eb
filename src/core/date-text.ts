/**
 * How exactly to_csv writes a column of dates or time spans: as exactly as the most exact value of a chunk needs. So one cell
 * decides about the others: `2024-01-01` becomes `2024-01-01 00:00:00` beside a time.
 */
export type Exactness = 0 | 1 | 2 | 3 | 4
const DAY = 0
const SECOND = 1

/** A cell of such a column, in parts. */
export interface DateText {
  readonly day: string
  /** Null: the column was written without times. */
  readonly time: string | null
  /** The digits after the second. */
  readonly fraction: string
  readonly zone: string
}

const DATE = /^(-?\d{4,}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d)(?:\.(\d+))?([+-]\d\d:\d\d(?::\d\d)?)?)?$/
const SPAN = /^(-?\d+ days)(?: ([+]?\d\d:\d\d:\d\d)(?:\.(\d+))?)?$/

/** Null: the cell is of no such column. */
export function parseDate(cell: string): DateText | null {
  const found = DATE.exec(cell) ?? SPAN.exec(cell)
  if (!found) return null
  return { day: found[1]!, time: found[2] ?? null, fraction: found[3] ?? '', zone: found[4] ?? '' }
}

/** How exactly the cell was written. */
export function writtenAs({ time, fraction }: DateText): Exactness {
  return time === null ? DAY : ((SECOND + fraction.length / 3) as Exactness)
}

/** How exactly the value must be written. */
export function neededBy({ day, time, fraction, zone }: DateText): Exactness {
  const digits = fraction.replace(/0+$/, '').length
  const isSpan = day.endsWith('days')
  if (digits > 0) return (SECOND + Math.max(isSpan ? 2 : 1, Math.ceil(digits / 3))) as Exactness
  return time === null || (/^\+?00:00:00$/.test(time) && zone === '') ? DAY : SECOND
}

export function writeDate({ day, time, fraction, zone }: DateText, exactness: Exactness): string {
  if (exactness === DAY) return day
  const midnight = day.startsWith('-') && day.endsWith('days') ? '+00:00:00' : '00:00:00'
  const digits = fraction.slice(0, 3 * (exactness - SECOND)).padEnd(3 * (exactness - SECOND), '0')
  return `${day} ${time ?? midnight}${digits === '' ? '' : `.${digits}`}${zone}`
}
