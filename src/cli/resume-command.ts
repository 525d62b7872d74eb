import { RowmillError, toRowmillError } from '../errors.ts'

/** The error with the command that goes on from here: the last line that main.ts says. */
export function withResumeCommand(thrown: unknown, words: readonly string[]): RowmillError {
  return withFacts(thrown, { resume: commandLine(words) })
}

/** The same where the classifier must be repaired before. */
export function withCure(thrown: unknown, words: readonly string[]): RowmillError {
  return withFacts(thrown, { cure: `: ${commandLine(words)}` })
}

/** The same of a job that workers of other commands serve; `resume` comes behind the command that opens it again. */
export function withReplay(
  thrown: unknown,
  job: string,
  { at, resume }: { at: Parameters<typeof replayWords>[1]; resume: readonly string[] },
): RowmillError {
  const commands = [replayWords(job, at), resume].map(commandLine).join(' && ')
  return withFacts(thrown, { cure: ` and rowmill work started again with it: ${commands}` })
}

/** The command that opens a job again, with the options of the one that was given. */
function replayWords(
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
