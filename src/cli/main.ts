import { CommanderError } from 'commander'
import { toRowmillError } from '../errors.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { limitYoungGeneration } from '../support/young-generation.ts'
import { wantsStacks } from './environment.ts'
import { exitCodeOf } from './limits.ts'
import { runProgram } from './program.ts'
import { hideSecretsOf, writeError } from './terminal.ts'

/** Runs a command line and returns its exit code; throws nothing. */
export async function main(args: readonly string[]): Promise<number> {
  limitYoungGeneration()
  openFilesLimit() // looked up now, while files can still be opened
  process.stderr.on('error', () => {}) // a terminal that was closed must not end the job
  hideSecretsOf([...args, ...shownVariables()])
  let showsStack = false
  try {
    showsStack = wantsStacks(process.env)
    return await runProgram(args)
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
    return tellError(thrown, showsStack)
  }
}

/** The values of variables that messages may repeat: our own, and URLs such as those of proxies. */
function shownVariables(): string[] {
  const all = Object.entries(process.env) as [string, string][]
  return all.filter(([name, value]) => name.startsWith('ROWMILL_') || value.includes('://')).map(([, value]) => value)
}

function tellError(thrown: unknown, showsStack: boolean): number {
  const error = toRowmillError(thrown)
  // The code is at the end of the first line, because a traceback may follow it.
  writeError(`rowmill: ${error.message.replace(/\n|$/, end => ` [${error.code}]${end}`)}\n`)
  if (error.code === 'INTERNAL' && showsStack) writeError(`${(error.cause as Error).stack}\n`)
  const { signal, resume, again, cure } = error.facts
  if (resume) writeError(`rowmill: to resume: ${resume}\n`)
  if (again) writeError(`rowmill: to start again: ${again}\n`)
  if (cure) writeError(`rowmill: once the classifier is repaired${cure}\n`)
  return error.code === 'INTERRUPTED' && signal ? exitCodeOf(signal as NodeJS.Signals) : error.exitCode
}
