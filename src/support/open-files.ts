import { readFileSync } from 'node:fs'

/** As Node's errors, KafkaJS, Python and Java write it. */
const TEXT = /\bE[MN]FILE\b|too many open files/i
/** An error may be its own cause. */
const MOST_CAUSES = 10

/** It does not change, and when it is reached no file can be opened to look. */
let known: number | null = null

/** How many files this process may have open at once, and so each process that it starts; null where it cannot be told. */
export function openFilesLimit(): number | null {
  if (known !== null) return known
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    known = limit === undefined ? null : Number(limit)
    return known
  } catch {
    return null // no Linux, or no descriptor is left to look
  }
}

/** What to do about it, in two sentences. */
export function openFilesAdvice(limit = openFilesLimit()): string {
  const has = limit === null ? 'The limit is what ulimit -n prints' : `The limit is ${limit} (ulimit -n)`
  return `${has}. Raise it, as in ulimit -n 4096, LimitNOFILE=4096 of systemd or --ulimit nofile=4096 of Docker, or start fewer workers.`
}

/**
 * Whether something failed because this process, or one that it started, had as many files open as it may. `guesses`:
 * whether its message guesses at a cause; others that contain the text quote a classifier, or mean something else.
 */
export function isOutOfFiles(thrown: unknown, guesses: boolean): boolean {
  try {
    let error = thrown
    for (let depth = 0; depth < MOST_CAUSES && error instanceof Error; depth++) {
      const { code: system } = error as NodeJS.ErrnoException
      if (system === 'EMFILE' || system === 'ENFILE') return true
      error = error.cause
    }
    return guesses && TEXT.test(thrown instanceof Error ? thrown.message : String(thrown))
  } catch {
    return false // user code may throw what throws when it is looked at
  }
}
