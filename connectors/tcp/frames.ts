import { RowmillError } from '../../src/errors.ts'
import { LENGTH_BYTES } from '../../src/support/frame.ts'

/** A record of more than 15 MB fits no message, so no useful frame is larger. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024
/** The one byte of the frame that ends a job (EOT in ASCII). */
const END_OF_INPUT = 0x04

/**
 * The contents of the frames in a stream of bytes, as many at a time as have arrived. Ends at the frame that ends the job,
 * and reads nothing after it. `name` is the sender, for messages. Throws INPUT_ROW_TOO_LARGE for a frame that announces
 * more than `MAX_FRAME_BYTES`, and INPUT_UNREADABLE if the stream ends before the job does.
 */
export async function* readFrames(stream: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array[]> {
  let chunks: Uint8Array[] = []
  let arrived = 0
  let needed = LENGTH_BYTES
  let count = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    arrived += chunk.length
    if (arrived < needed) continue
    const bytes = Buffer.concat(chunks)
    const frames: Uint8Array[] = []
    let at = 0
    needed = LENGTH_BYTES
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at)
      if (length > MAX_FRAME_BYTES) throw tooLarge(name, count + 1, length)
      needed = LENGTH_BYTES + length
      if (bytes.length - at < needed) break
      const content = bytes.subarray(at + LENGTH_BYTES, at + needed)
      at += needed
      needed = LENGTH_BYTES
      if (length === 1 && content[0] === END_OF_INPUT) {
        if (frames.length > 0) yield frames
        return
      }
      frames.push(content)
      count++
    }
    chunks = [bytes.subarray(at)]
    arrived = bytes.length - at
    if (frames.length > 0) yield frames
  }
  const where = arrived === 0 ? `after frame ${count}` : `in the middle of frame ${count + 1}`
  throw brokenOff(name, `the sender closed the connection ${where}`, count)
}

/** The error for a sender that leaves before it has ended its job. */
export function brokenOff(name: string, what: string, frames: number, cause?: unknown): RowmillError {
  const message =
    `${name}: ${what}, without the frame that ends a job (00 00 00 01 04). The job fails: its last rows may be missing. ` +
    'Publish the input again as a new job.'
  return new RowmillError('INPUT_UNREADABLE', message, { frames }, { cause })
}

function tooLarge(name: string, frame: number, length: number): RowmillError {
  const message =
    `${name}: frame ${frame} announces ${length} bytes, and the limit is ${MAX_FRAME_BYTES}. ` +
    'Each frame is a length of 4 bytes, the most significant first, and one CSV record. Does the sender speak another protocol?'
  return new RowmillError('INPUT_ROW_TOO_LARGE', message, { frame, bytes: length, limit: MAX_FRAME_BYTES })
}
