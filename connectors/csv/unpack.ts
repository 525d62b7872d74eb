/** Unpacks what Node does not unpack by itself. Each piece of `input` is copied, because the next one overwrites it. */
import { crc32 } from 'node:zlib'
import unbzip2Stream from 'unbzip2-stream'
import { fromBufferPromise } from 'yauzl'

export type Bytes = AsyncIterable<Uint8Array>

/** The content of a .bz2 file, which may be several streams one after the other. Throws if it is damaged or cut short. */
export async function* bunzip2(input: Bytes): AsyncGenerator<Uint8Array> {
  const unpacked: Uint8Array[] = []
  let fault: Error | null = null
  const stream = unbzip2Stream()
  stream.on('data', (block: Uint8Array) => unpacked.push(block))
  stream.on('error', (error: unknown) => {
    fault ??= error instanceof Error ? error : new Error(String(error))
  })
  const take = (): Uint8Array[] => {
    if (fault) throw fault
    return unpacked.splice(0)
  }
  // The stream works within `write`, so its blocks are there when `write` returns.
  for await (const piece of input) {
    stream.write(Buffer.from(piece))
    yield* take()
  }
  stream.end()
  yield* take()
}

/**
 * The content of the one file of a .zip file. Its table is at its end, so it is held in memory, packed. Throws if it holds
 * another number of files, as pandas does, and if it is damaged.
 */
export async function* unzip(input: Bytes): AsyncGenerator<Uint8Array> {
  const archive = await fromBufferPromise(await joined(input), { decodeStrings: false })
  if (archive.entryCount !== 1) throw new Error(`it holds ${archive.entryCount} files, and pandas reads one file`)
  for await (const entry of archive.eachEntry()) {
    let sum = 0
    for await (const piece of (await archive.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      sum = crc32(piece, sum)
      yield piece
    }
    if (sum !== entry.crc32) throw new Error('its content is damaged: the checksum differs')
  }
}

async function joined(input: Bytes): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of input) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}
