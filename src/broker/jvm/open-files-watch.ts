import { type FSWatcher, watch } from 'node:fs'
import { open } from 'node:fs/promises'

/** How Kafka reports the limit in its log. */
export const NO_FILES_LEFT = 'Too many open files'
const PIECE_BYTES = 64 * 1024

/**
 * Resolves when the log at `path` says that the broker may open no more files. Such a broker keeps running and
 * accepts no connection, so nothing else would tell the user. Never resolves if the log cannot be watched, or after `signal`.
 */
export async function outOfFiles(path: string, signal: AbortSignal): Promise<void> {
  const found = Promise.withResolvers<void>()
  const log = new GrowingLog(path)
  let reading: Promise<unknown> = Promise.resolve()
  let isQueued = false
  const look = () => {
    if (isQueued) return // the read that waits will see this change too
    isQueued = true
    const read = async () => {
      isQueued = false
      if (await log.says(NO_FILES_LEFT)) found.resolve()
    }
    reading = reading.then(read).catch(() => {}) // the broker has ended, and its folder is gone
  }
  let watcher: FSWatcher | null = null
  try {
    watcher = watch(path, { persistent: false, signal }, look)
    watcher.on('error', () => {}) // such as: this process itself has no open files left
  } catch {
    return await found.promise
  }
  look()
  await found.promise
  watcher.close()
}

/** A log that another process appends to. */
class GrowingLog {
  readonly #path: string
  #readBytes = 0
  #rest = ''

  constructor(path: string) {
    this.#path = path
  }

  /** Whether what was appended since the last call holds `words`. One call at a time. */
  async says(words: string): Promise<boolean> {
    const file = await open(this.#path)
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, this.#readBytes)
        if (bytesRead === 0) return false
        this.#readBytes += bytesRead
        const text = this.#rest + buffer.toString('latin1', 0, bytesRead)
        if (text.includes(words)) return true
        this.#rest = text.slice(-words.length)
      }
    } finally {
      await file.close()
    }
  }
}
