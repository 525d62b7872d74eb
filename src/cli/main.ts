import { CommanderError } from 'commander'
import { type RowmillError, toRowmillError } from '../errors.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { limitYoungGeneration } from '../support/young-generation.ts'
import { logFormatAskedFor, wantsStacks } from './environment.ts'
import { exitCodeOf } from './limits.ts'
import { endLog, hideSecretsOf, logError, openLog } from './log.ts'
import { runProgram } from './program.ts'
import { printed } from './standard-output.ts'

/** Runs a command line and returns its exit code; throws nothing. */
export async function main(args: readonly string[]): Promise<number> {
  limitYoungGeneration()
  openFilesLimit() // looked up now, while files can still be opened
  process.stderr.on('error', () => {}) // a terminal that was closed must not end the job
  hideSecretsOf([...args, ...shownVariables()])
  let showsStack = false
  try {
    await openLog(logFormatAskedFor(args, process.env))
    showsStack = wantsStacks(process.env)
    const exitCode = await runProgram(args)
    await printed()
    return ended(exitCode, null)
  } catch (thrown) {
    if (thrown instanceof CommanderError) return ended(2, 'USAGE')
    const error = toRowmillError(thrown)
    const exitCode = exitCodeAfter(error)
    logError(error, { exitCode, showsStack })
    return ended(exitCode, error.code)
  }
}

function ended(exitCode: number, code: string | null): number {
  endLog(exitCode, code)
  return exitCode
}

/** The values of variables that messages may repeat: our own, and URLs such as those of proxies. */
function shownVariables(): string[] {
  const all = Object.entries(process.env) as [string, string][]
  return all.filter(([name, value]) => name.startsWith('ROWMILL_') || value.includes('://')).map(([, value]) => value)
}

function exitCodeAfter({ code, facts: { signal }, exitCode }: RowmillError): number {
  return code === 'INTERRUPTED' && signal ? exitCodeOf(signal as NodeJS.Signals) : exitCode
}
