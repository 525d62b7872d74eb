/** Returns its rows unchanged, so only rowmill itself is measured. */
export default function pass(rows: string[][]): string[][] {
  return rows
}
