/**
 * Frees the memory of these bytes at once. V8 would do so only after 64 MB more came, because they lie outside of its heap. Their
 * last user calls it: they have the length 0 afterwards. Bytes that are a part of a larger buffer stay as they are.
 */
export function freeBytes(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.length === bytes.buffer.byteLength) bytes.buffer.transfer(0)
}
