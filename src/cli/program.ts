import { Command, CommanderError, type OutputConfiguration } from 'commander'
import { RowmillError } from '../errors.ts'
import { version } from '../support/version.ts'
import { addCommand, type CommandSpec } from './command.ts'
import { commandsOf, GROUPS } from './commands/files.ts'
import { addHelpCommand } from './help.ts'
import { logAbout, logError, logPrinted } from './log.ts'
import { print } from './standard-output.ts'
import { describeUsageError } from './usage-error.ts'

const DOC =
  'Runs a slow row-by-row CSV job as a stream on Apache Kafka: the same classifier, the same bytes, all cores.'

const CODES = `
The first line of an error message ends with a code in brackets. rowmill explain CODE prints its cause and its cure.
`

/**
 * Runs a command line, and resolves with its exit code. Throws CommanderError after words about a wrong command line were written,
 * and what the command throws.
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode = 0
  const finished = (code: number) => {
    exitCode = code
  }
  const own = await commandsOf(args[0])
  const isDone = own !== null && (await wasRun(makeProgram(own, finished, SILENT), args))
  if (!isDone) {
    const { COMMANDS } = await import('./commands/index.ts')
    await makeProgram(COMMANDS, finished, tellingOf(COMMANDS)).parseAsync(args, { from: 'user' }).catch(throwUnlessHelp)
  }
  return exitCode
}

/** False if there is something to tell that takes all commands: help, or what is wrong with the command line. */
async function wasRun(program: Command, args: readonly string[]): Promise<boolean> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return true
  } catch (error) {
    if (error instanceof CommanderError) return false
    throw error
  }
}

/** Commander ends a command that printed help, or the version, with an error of exit code 0. */
function throwUnlessHelp(error: unknown): void {
  if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error
}

/** How a command writes what commander has to say. `name` is '' for rowmill itself. */
type Telling = (name: string) => OutputConfiguration

const SILENT: Telling = () => ({ outputError: () => {}, writeErr: () => {}, writeOut: () => {} })

const tellingOf =
  (commands: readonly CommandSpec[]): Telling =>
  name => ({
    outputError: text => logError(usageError(text, name, commands), { exitCode: 2, showsStack: false }),
    writeErr: text => logPrinted(text, {}),
    writeOut: print,
  })

function usageError(text: string, name: string, commands: readonly CommandSpec[]): RowmillError {
  if (name !== '') logAbout({ command: name })
  return new RowmillError('USAGE', describeUsageError(text, name, commands))
}

/** A program of these commands. `finished` gets the exit code of the one that is called. */
export function makeProgram(
  commands: readonly CommandSpec[],
  finished: (exitCode: number) => void,
  telling: Telling,
): Command {
  const program = new Command('rowmill').description(DOC).helpOption('-h, --help', 'show help').exitOverride()
  complete(program, telling(''))
  const groups = new Map<string, Command>()
  for (const spec of commands) {
    const [first, own] = spec.name.split(' ') as [string, string?]
    const parent = own === undefined ? program : (groups.get(first) ?? program.command(first))
    if (own !== undefined && !groups.has(first)) {
      groups.set(first, parent.description(GROUPS[first]!))
      complete(parent, telling(first))
    }
    complete(addCommand(parent, spec, finished), telling(spec.name))
  }
  program.addHelpText('after', CODES)
  for (const parent of [program, ...groups.values()]) addHelpCommand(parent)
  return program
}

/** Gives a command what all have: --version, and errors in the words of rowmill. */
function complete(command: Command, output: OutputConfiguration): void {
  command.version(version(), '-V, --version', 'print the version')
  command.showSuggestionAfterError(false).configureOutput(output)
}
