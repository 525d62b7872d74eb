/** A stand-in for a real classifier in TypeScript: slow on purpose, and the same answer for the same row every time. */
import { createHash } from 'node:crypto'

const ROUNDS = 10

/** A number in [0, 1) that depends on the whole row. */
function classifyRow(row: readonly string[]): number {
  let digest = Buffer.alloc(0)
  for (let round = 0; round < ROUNDS; round++) {
    digest = createHash('sha256').update(digest).update(JSON.stringify(row)).digest()
  }
  return digest.readUInt32BE() / 2 ** 32
}

/** Adds a cell to each row. */
export default function classify(rows: string[][], _header: readonly string[]): (string | number)[][] {
  return rows.map(row => [...row, classifyRow(row)])
}
