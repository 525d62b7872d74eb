import { counted, roundedSpeed } from '../../support/counted.ts'
import { duration } from '../duration.ts'

/** `1,234,567`. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 row`, `1,234 rows`. */
export function rowCount(count: number): string {
  return `${grouped(count)} row${count === 1 ? '' : 's'}`
}

/** `850 rows/s`. */
export function speed(perSecond: number): string {
  const rounded = roundedSpeed(perSecond)
  return `${grouped(rounded)} row${rounded === 1 ? '' : 's'}/s`
}

/** How long ago a moment was, in words. Both in milliseconds since 1970. The clocks of two machines may differ a little. */
export function since(at: number, now: number): string {
  return duration(Math.max(0, (now - at) / 1000))
}

/** `0 to 3, 7`. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b)
  const spans: [number, number][] = []
  for (const number of sorted) {
    const last = spans.at(-1)
    if (last && number <= last[1] + 1) last[1] = number
    else spans.push([number, number])
  }
  return spans
    .map(([first, last]) => (first === last ? `${first}` : `${first}${last === first + 1 ? ', ' : ' to '}${last}`))
    .join(', ')
}

/** `2 restarts`, or nothing. */
export function someOf(count: number, noun: string): string {
  return count === 0 ? '' : counted(count, noun)
}

/** `2026-03-01 02:00:00 UTC`. */
export function moment(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')
}
