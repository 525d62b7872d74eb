import { Command } from 'commander'
import { addCommand } from './command.ts'
import { COMMANDS, GROUPS } from './commands/index.ts'
import { addHelpCommand } from './help.ts'
import { writeError } from './terminal.ts'
import { describeUsageError } from './usage-error.ts'
import { version } from './version.ts'

const DOC =
  'Runs a slow row-by-row CSV job as a stream on Apache Kafka: the same classifier, the same bytes, all cores.'

const CODES = `
The first line of an error message ends with a code in brackets. rowmill explain CODE prints its cause and its cure.
`

/** All commands. `finished` gets the exit code of the one that is called. */
export function makeProgram(finished: (exitCode: number) => void): Command {
  const program = new Command('rowmill').description(DOC).helpOption('-h, --help', 'show help').exitOverride()
  complete(program, '')
  const groups = new Map<string, Command>()
  for (const spec of COMMANDS) {
    const [first, own] = spec.name.split(' ') as [string, string?]
    const parent = own === undefined ? program : (groups.get(first) ?? program.command(first))
    if (own !== undefined && !groups.has(first)) {
      groups.set(first, parent.description(GROUPS[first]!))
      complete(parent, first)
    }
    complete(addCommand(parent, spec, finished), spec.name)
  }
  program.addHelpText('after', CODES)
  for (const parent of [program, ...groups.values()]) addHelpCommand(parent)
  return program
}

/** Gives a command what all have: --version, and errors in the words of rowmill. `name` is '' for rowmill itself. */
function complete(command: Command, name: string): void {
  command.version(version(), '-V, --version', 'print the version')
  command.showSuggestionAfterError(false).configureOutput({
    outputError: text => writeError(`rowmill: ${describeUsageError(text, name, COMMANDS)} [USAGE]\n`),
    writeErr: writeError,
  })
}
