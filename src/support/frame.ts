/** How many bytes before its content a frame has. */
export const LENGTH_BYTES = 4

/** One frame: the length of the text's UTF-8 as 4 bytes, the most significant first, and the UTF-8. */
export function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length)
  frame.writeUInt32BE(length)
  frame.write(text, LENGTH_BYTES)
  return frame
}
