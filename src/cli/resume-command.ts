import { RowmillError, toRowmillError } from '../errors.ts'

/** The error with the command that goes on from here: the last line that main.ts says. */
export function withResumeCommand(thrown: unknown, words: readonly string[]): RowmillError {
  const { code, message, facts, cause } = toRowmillError(thrown)
  return new RowmillError(code, message, { ...facts, resume: words.map(quoteForShell).join(' ') }, { cause })
}

export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
