const FIRST_SLOTS = 256

/** A map whose keys are cells in UTF-8. To look up one that is not there takes no text and no allocation. */
export class CellMap<T> {
  /** By hash, the number of an entry from 1, or 0. The next slots have the other entries of a hash. */
  #slots = new Int32Array(FIRST_SLOTS)
  readonly #hashes: number[] = []
  readonly #cells: Uint8Array[] = []
  readonly #values: T[] = []

  get size(): number {
    return this.#values.length
  }

  values(): readonly T[] {
    return this.#values
  }

  /** The value of the cell from byte `start` up to `end`, which is not part of it. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const hash = hashOf(bytes, start, end)
    const slots = this.#slots
    for (let slot = hash & (slots.length - 1); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const entry = slots[slot]! - 1
      if (this.#hashes[entry] === hash && isEqual(this.#cells[entry]!, bytes, start, end)) return this.#values[entry]
    }
    return undefined
  }

  /** Adds a cell that is not there. */
  add(bytes: Uint8Array, start: number, end: number, value: T): void {
    const hash = hashOf(bytes, start, end)
    this.#hashes.push(hash)
    this.#cells.push(Uint8Array.prototype.slice.call(bytes, start, end))
    this.#values.push(value)
    if (this.size * 2 > this.#slots.length) this.#grow()
    else this.#place(hash, this.size)
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 4)
    for (let entry = 0; entry < this.size; entry++) this.#place(this.#hashes[entry]!, entry + 1)
  }

  #place(hash: number, entry: number): void {
    const slots = this.#slots
    let slot = hash & (slots.length - 1)
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    slots[slot] = entry
  }
}

function isEqual(cell: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (cell.length !== end - start) return false
  for (let i = 0; i < cell.length; i++) if (cell[i] !== bytes[start + i]) return false
  return true
}

/** Four bytes at a time. The multipliers are those of MurmurHash3. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  let at = start
  for (; at + 4 <= end; at += 4) {
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    hash = Math.imul(hash ^ Math.imul(four, 0xcc9e2d51), 0x85ebca6b)
    hash ^= hash >>> 15
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x85ebca6b)
  hash ^= hash >>> 13
  return Math.imul(hash, 0xc2b2ae35) >>> 2
}
