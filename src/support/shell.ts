/** A command that a shell splits into these words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoteForShell).join(' ')
}

/** A word that a shell takes as it is. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
