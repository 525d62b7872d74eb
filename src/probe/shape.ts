/** How much of a cell tells what it looks like. */
const SHAPE_CHARS = 40

/**
 * What a cell looks like: a sign, digits, letters, and whether a number is whole. In a date it tells a number that can be no
 * month from one that can, since pandas guesses the order of day and month from it.
 */
export function shapeOf(cell: string): string {
  return cell
    .slice(0, SHAPE_CHARS)
    .replace(/\.0$/, '.')
    .replaceAll(/\d+/g, (digits, at: number, all: string) => (isNoMonth(digits, all[at - 1], all[at + 2]) ? '31' : '9'))
    .replaceAll(/\p{L}+/gu, 'a')
}

function isNoMonth(digits: string, before: string | undefined, after: string | undefined): boolean {
  if (digits.length !== 2 || digits < '13' || digits > '31') return false
  return [before, after].some(mark => mark === '.' || mark === '/' || mark === '-')
}
