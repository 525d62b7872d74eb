import { Command } from 'commander'
import { addCommand } from './command.ts'
import { COMMANDS, GROUPS } from './commands/index.ts'
import { writeError } from './terminal.ts'
import { describeUsageError } from './usage-error.ts'
import { version } from './version.ts'

const DOC =
  'Runs a slow row-by-row CSV job as a stream on Apache Kafka: the same classifier, the same bytes, all cores.'

/** All commands. `finished` gets the exit code of the one that is called. */
export function makeProgram(finished: (exitCode: number) => void): Command {
  const program = new Command('rowmill')
    .description(DOC)
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .exitOverride()
  explainErrors(program, '')
  const groups = new Map<string, Command>()
  for (const spec of COMMANDS) {
    const [first, own] = spec.name.split(' ') as [string, string?]
    const parent = own === undefined ? program : (groups.get(first) ?? program.command(first))
    if (own !== undefined && !groups.has(first)) {
      groups.set(first, parent.description(GROUPS[first]!))
      explainErrors(parent, first)
    }
    explainErrors(addCommand(parent, spec, finished), spec.name)
  }
  return program
}

function explainErrors(command: Command, name: string): void {
  command.showSuggestionAfterError(false).configureOutput({
    outputError: text => writeError(`rowmill: ${describeUsageError(text, name, COMMANDS)} [USAGE]\n`),
    writeErr: writeError,
  })
}
