import { CommanderError } from 'commander'
import { toRowmillError } from '../errors.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { limitYoungGeneration } from '../support/young-generation.ts'
import { exitCodeOf } from './limits.ts'
import { makeProgram } from './program.ts'
import { writeError } from './terminal.ts'

/** Runs a command line and returns its exit code; throws nothing. */
export async function main(args: readonly string[]): Promise<number> {
  limitYoungGeneration()
  openFilesLimit() // as long as it can be looked up
  process.stderr.on('error', () => {}) // the terminal was closed: that nobody reads any more ends no job
  let exitCode = 0
  const program = makeProgram(code => {
    exitCode = code
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
    return tellError(thrown)
  }
}

function tellError(thrown: unknown): number {
  const error = toRowmillError(thrown)
  // The code stands behind the first line: below it there may be a traceback.
  writeError(`rowmill: ${error.message.replace(/\n|$/, end => ` [${error.code}]${end}`)}\n`)
  if (error.code === 'INTERNAL' && process.env['ROWMILL_DEBUG']) writeError(`${(error.cause as Error).stack}\n`)
  const { signal, resume, cure } = error.facts
  if (resume) writeError(`rowmill: to go on: ${resume}\n`)
  if (cure) writeError(`rowmill: to go on, once the classifier is repaired${cure}\n`)
  return error.code === 'INTERRUPTED' && signal ? exitCodeOf(signal as NodeJS.Signals) : error.exitCode
}
