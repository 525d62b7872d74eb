import { Command, CommanderError } from 'commander'
import { toRowmillError } from '../errors.ts'
import { openFilesLimit } from '../support/open-files.ts'
import { limitYoungGeneration } from '../support/young-generation.ts'
import { addCommand } from './command.ts'
import { brokerCommand } from './commands/broker.ts'
import { collectCommand } from './commands/collect.ts'
import { jobsCommand } from './commands/jobs.ts'
import { publishCommand } from './commands/publish.ts'
import { rejectsCommand } from './commands/rejects.ts'
import { runCommand } from './commands/run.ts'
import { tailCommand } from './commands/tail.ts'
import { verifyCommand } from './commands/verify.ts'
import { workCommand } from './commands/work.ts'
import { exitCodeOf } from './limits.ts'
import { writeError } from './terminal.ts'
import { version } from './version.ts'

/** Runs a command line and returns its exit code; throws nothing. */
export async function main(args: readonly string[]): Promise<number> {
  limitYoungGeneration()
  openFilesLimit() // as long as it can be looked up
  process.stderr.on('error', () => {}) // the terminal was closed: that nobody reads any more ends no job
  let exitCode = 0
  const program = new Command('rowmill')
    .description(
      'Runs a slow row-by-row CSV job as a stream on Apache Kafka: the same classifier, the same bytes, all cores.',
    )
    .version(version(), '--version', 'print the version')
    .helpOption('--help', 'show help')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      outputError: text => writeError(text.replace(/^error: (.*)$/m, 'rowmill: $1 [USAGE]')),
      writeErr: writeError,
    })
  const finished = (code: number) => {
    exitCode = code
  }
  addCommand(program, runCommand, finished)
  addCommand(program, publishCommand, finished)
  addCommand(program, workCommand, finished)
  addCommand(program, collectCommand, finished)
  addCommand(program, tailCommand, finished)
  addCommand(program, verifyCommand, finished)
  addCommand(program, rejectsCommand, finished)
  addCommand(program, jobsCommand, finished)
  addCommand(program, brokerCommand, finished)
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
