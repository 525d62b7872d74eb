/** Prints how a program of this folder is called, and ends it, if its arguments ask for that. */
export function answerHelp(usage: string): void {
  if (!process.argv.slice(2).some(word => word === '--help' || word === '-h')) return
  console.log(`Usage: ${usage}`)
  process.exit(0)
}
