import { readFileSync } from 'node:fs'

/** How Node, KafkaJS, Python and Java report it. */
const TEXT = /\bE[MN]FILE\b|too many open files/i
/** An error may be its own cause. */
const MOST_CAUSES = 10

/** The limit does not change. Once it is reached, we cannot open a file to look it up. */
let known: number | null = null

/** How many files this process, and each process that it starts, may have open. Null if we cannot find out. */
export function openFilesLimit(): number | null {
  if (known !== null) return known
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    known = limit === undefined ? null : Number(limit)
    return known
  } catch {
    return null // not Linux, or no descriptor is left
  }
}

/** What a user can do about the limit, in two sentences. */
export function openFilesAdvice(limit = openFilesLimit()): string {
  const has = limit === null ? 'The limit is what ulimit -n prints' : `The limit is ${limit} (ulimit -n)`
  return `${has}. Raise it, as in ulimit -n 4096, LimitNOFILE=4096 of systemd or --ulimit nofile=4096 of Docker, or start fewer workers.`
}

/**
 * Whether an error came from too many open files in this process or in one that it started. We trust the text of its
 * message only with `guesses`, for errors that guess a cause. Other messages may quote a classifier.
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
    return false // user code may throw an object that throws when it is inspected
  }
}
