/** `1 row`, `2 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A speed as people read it: whole above 10 and to one decimal below. */
export function roundedSpeed(perSecond: number): number {
  const tenths = Math.round(perSecond * 10) / 10
  return tenths < 10 ? tenths : Math.round(perSecond)
}

/** `0.3 rows/s`, `1 row/s`, `250 rows/s`. */
export function describeSpeed(perSecond: number): string {
  return `${counted(roundedSpeed(perSecond), 'row')}/s`
}
