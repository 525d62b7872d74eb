/**
 * Memory that is freed as soon as nobody needs it. V8 would free bytes outside of its heap only after 64 MB more came. Whoever
 * still reads freed bytes finds none: they are never overwritten.
 */

/** How many parts of a memory are still in use. */
const parts = new WeakMap<ArrayBufferLike, number>()

/** Frees these bytes. Bytes that are a part of a larger buffer stay as they are. */
export function freeBytes(bytes: Uint8Array<ArrayBuffer>): void {
  if (isWhole(bytes)) bytes.buffer.transfer(0)
}

/** Says that so many parts of these bytes are in use: they are freed when `freePart` was called with each part. */
export function shareBytes(bytes: Uint8Array<ArrayBuffer>, count: number): void {
  if (count === 0) freeBytes(bytes)
  else if (isWhole(bytes)) parts.set(bytes.buffer, count)
}

/** Says that a part of shared bytes is no longer in use. To be called once for each part. Other bytes stay as they are. */
export function freePart({ buffer }: Uint8Array): void {
  const left = parts.get(buffer)
  if (left === undefined) return
  if (left > 1) parts.set(buffer, left - 1)
  else {
    parts.delete(buffer)
    ;(buffer as ArrayBuffer).transfer(0)
  }
}

function isWhole({ length, buffer }: Uint8Array): boolean {
  return length === buffer.byteLength
}
