import { RowmillError } from '../errors.ts'

/**
 * What this command prints on standard output. A process has one. A reader such as `head` may close it early, which is no error of a
 * command that only prints. A full disk is one.
 */

const ended = new AbortController()
/** Null: everything was written so far. */
let fault: NodeJS.ErrnoException | null = null
/** Null: nothing was printed. */
let latest: Promise<void> | null = null

/** Aborts when standard output takes no more, for a command that prints until it is stopped. */
export const outputEnded: AbortSignal = ended.signal

/** Prints text. `printed` says whether that failed. */
export function print(text: string): void {
  if (latest === null) process.stdout.on('error', () => {}) // the callback of each write gets the error
  latest = new Promise(resolve => {
    process.stdout.write(text, error => {
      if (error) end(error)
      resolve()
    })
  })
}

/** Resolves when everything is printed, or nobody reads it any more. Throws OUTPUT_FAILED. */
export async function printed(): Promise<void> {
  await latest
  if (fault === null || fault.code === 'EPIPE') return
  throw new RowmillError('OUTPUT_FAILED', `cannot write to standard output: ${fault.message}`, {}, { cause: fault })
}

function end(error: NodeJS.ErrnoException): void {
  fault ??= error
  ended.abort()
}
