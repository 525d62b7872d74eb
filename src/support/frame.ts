/** How many bytes before its content a frame has. */
export const LENGTH_BYTES = 4

/** One frame: the length of the content as 4 bytes, the most significant first, and a copy of it. A text becomes UTF-8. */
export function frameOf(content: string | Uint8Array): Buffer {
  const length = typeof content === 'string' ? Buffer.byteLength(content) : content.length
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length)
  frame.writeUInt32BE(length)
  if (typeof content === 'string') frame.write(content, LENGTH_BYTES)
  else frame.set(content, LENGTH_BYTES)
  return frame
}
