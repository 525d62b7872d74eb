/** Numbers, durations and states in words. */

const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const SMALL = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const CLOCK = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const DAY = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

/** @param {number | null | undefined} count */
export const number = count => (count === null || count === undefined ? 'unknown' : NUMBER.format(count))

/** @param {number} rate */
export const rate = rate => (rate < 10 ? SMALL : NUMBER).format(rate)

/** @param {number} count @param {string} noun */
export const counted = (count, noun) => `${NUMBER.format(count)} ${noun}${count === 1 ? '' : 's'}`

/** @param {number} at milliseconds since 1970 */
export const clock = at => CLOCK.format(at)

/** @param {number} at @param {number} now both in milliseconds since 1970 */
export function moment(at, now) {
  return Math.abs(now - at) < 86_400_000 ? clock(at) : `${DAY.format(at)}, ${clock(at)}`
}

/** In two units at most: `14 s`, `4 min`, `2 h 5 min`, `3 days 4 h`. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 120) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`
  const days = Math.floor(hours / 24)
  return `${counted(days, 'day')}${hours % 24 ? ` ${hours % 24} h` : ''}`
}

/** A duration that is exact below ten seconds. @param {number} seconds */
export const fineDuration = seconds => (seconds < 10 ? `${SMALL.format(Math.max(0, seconds))} s` : duration(seconds))

/** @type {Record<import('../../../watch/view.ts').JobPhase, string>} */
export const PHASES = {
  waiting: 'waits for rows',
  publishing: 'publishing',
  classifying: 'classifying',
  writing: 'writing',
  complete: 'complete',
  failed: 'failed',
  cancelled: 'cancelled',
  stalled: 'stalled',
}
