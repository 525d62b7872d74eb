import { open } from 'node:fs/promises'

const CHUNK_BYTES = 1024 * 1024

/** Where two files first differ, in words; null if they have the same bytes. */
export async function firstDifference(pathA: string, pathB: string): Promise<string | null> {
  const [a, b] = await Promise.all([open(pathA), open(pathB)])
  try {
    const [chunkA, chunkB] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
    let line = 1
    for (let at = 0; ; at += CHUNK_BYTES) {
      const [{ bytesRead: readA }, { bytesRead: readB }] = await Promise.all([
        a.read(chunkA, 0, CHUNK_BYTES, at),
        b.read(chunkB, 0, CHUNK_BYTES, at),
      ])
      const both = Math.min(readA, readB)
      if (readA !== readB || chunkA.compare(chunkB, 0, both, 0, both) !== 0) {
        let same = 0
        while (same < both && chunkA[same] === chunkB[same]) same++
        line += countLines(chunkA.subarray(0, same))
        return `first at byte ${at + same}, line ${line}`
      }
      if (both === 0) return null
      line += countLines(chunkA.subarray(0, both))
    }
  } finally {
    await Promise.all([a.close(), b.close()])
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++
  return lines
}
