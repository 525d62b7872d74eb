/** Decodes text as Python does, without Python. */
import { TextDecoder } from 'node:util'
import { RowmillError } from '../../src/errors.ts'
import { type InputEncoding, undefinedIn } from '../../src/pandas/encodings.ts'

/** How many bytes are decoded at a time. A fault is found among so many. */
const STEP_BYTES = 1024
const LINE_END = 10

/**
 * The text of `pieces` in UTF-8, in pieces of other lengths. Throws INPUT_ENCODING, with the place. `name` is the file, for
 * messages.
 */
export async function* toUtf8(
  pieces: AsyncIterable<Uint8Array>,
  encoding: InputEncoding,
  name: string,
): AsyncGenerator<Uint8Array> {
  const decode = decoderOf(encoding)
  let byte = 0
  let line = 1
  const fault = (length: number) =>
    new RowmillError(
      'INPUT_ENCODING',
      `${name}: bytes ${byte} to ${byte + length - 1} (from 0), at about line ${line}, are not all ${encoding}. Name the ` +
        'encoding of the file in --read-csv, or convert the file to UTF-8.',
      { byte, line },
    )
  for await (const piece of pieces) {
    const texts: Buffer[] = []
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      const step = piece.subarray(at, at + STEP_BYTES)
      const text = decode(step, false)
      if (text === null) throw fault(step.length)
      const utf8 = Buffer.from(text)
      texts.push(utf8)
      byte += step.length
      for (let end = utf8.indexOf(LINE_END); end >= 0; end = utf8.indexOf(LINE_END, end + 1)) line++
    }
    yield Buffer.concat(texts)
  }
  const rest = decode(new Uint8Array(0), true)
  if (rest === null) throw fault(1)
  yield Buffer.from(rest)
}

/** A function that gives the text of the next bytes, or null if they are not in this encoding. */
function decoderOf(encoding: InputEncoding): (bytes: Uint8Array, final: boolean) => string | null {
  if (encoding === 'latin-1') return bytes => Buffer.from(bytes).toString('latin1')
  let decoder: TextDecoder | null = null
  const undefinedCharacters = undefinedIn(encoding)
  let first = new Uint8Array(0)
  return (bytes, final) => {
    if (first.length > 0) bytes = Buffer.concat([first, bytes])
    // The first two bytes of UTF-16 may be its mark.
    first = decoder === null && bytes.length < 2 && !final ? bytes.slice() : new Uint8Array(0)
    if (first.length > 0) return ''
    decoder ??= new TextDecoder(labelOf(encoding, bytes), { fatal: true, ignoreBOM: encoding !== 'utf-16' })
    try {
      const text = decoder.decode(bytes, { stream: !final })
      return undefinedCharacters?.test(text) ? null : text
    } catch {
      return null
    }
  }
}

/** Python takes the byte order of UTF-16 from its mark, and the one of the machine without a mark. */
function labelOf(encoding: InputEncoding, bytes: Uint8Array): string {
  if (encoding !== 'utf-16') return encoding
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-16le'
}
