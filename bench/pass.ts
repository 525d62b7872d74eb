/** Returns its rows: what is left is rowmill. */
export default function pass(rows: string[][]): string[][] {
  return rows
}
