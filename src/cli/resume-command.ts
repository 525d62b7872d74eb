import { RowmillError, toRowmillError } from '../errors.ts'

/** The error with the command that goes on from here: the last line that main.ts says. */
export function withResumeCommand(thrown: unknown, words: readonly string[]): RowmillError {
  return withFacts(thrown, { resume: commandLine(words) })
}

/** The same where the classifier must be repaired before: of several commands, each goes on where the last one ended. */
export function withCure(thrown: unknown, ...commands: readonly (readonly string[])[]): RowmillError {
  return withFacts(thrown, { cure: commands.map(commandLine).join(' && ') })
}

/** The command that opens a job again, with the options of the one that was given. */
export function replayWords(
  job: string,
  { brokers, sharedPipeline }: { brokers: readonly string[] | null; sharedPipeline: string },
): string[] {
  const at = brokers === null ? [] : ['--brokers', brokers.join(',')]
  return ['rowmill', 'rejects', 'replay', '--job', job, '--pipeline', sharedPipeline, ...at]
}

function withFacts(thrown: unknown, more: Record<string, string>): RowmillError {
  const { code, message, facts, cause } = toRowmillError(thrown)
  return new RowmillError(code, message, { ...facts, ...more }, { cause })
}

function commandLine(words: readonly string[]): string {
  return words.map(quoteForShell).join(' ')
}

export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
