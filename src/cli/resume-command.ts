import { RowmillError, toRowmillError } from '../errors.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { commandLine } from '../support/shell.ts'

/**
 * The error with the command that resumes the job. main.ts logs it as the last line. Without it if the error says that no
 * command can resume anything (`resumable: false`).
 */
export function withResumeCommand(thrown: unknown, words: readonly string[]): RowmillError {
  const error = toRowmillError(thrown)
  if (error.facts['resumable'] === false) return error
  return withFacts(thrown, { resume: commandLine(words) })
}

/** The same for a command that ended before there was a job: it starts again from the first row. */
export function withSameCommand(thrown: unknown): RowmillError {
  return withFacts(thrown, { again: commandLine(sameCommand()) })
}

/** The same for a job whose classifier must be repaired first. */
export function withCure(thrown: unknown, words: readonly string[]): RowmillError {
  return withFacts(thrown, { cure: `, resume with: ${commandLine(words)}` })
}

/** The same for a job that rowmill work serves. A command opens it again, and then `resume` continues. */
export function withReplay(
  thrown: unknown,
  job: string,
  { at, resume }: { at: Parameters<typeof replayWords>[1]; resume: readonly string[] },
): RowmillError {
  const commands = [replayWords(job, at), resume].map(commandLine).join(' && ')
  return withFacts(thrown, { cure: ` and rowmill work is restarted with it, resume with: ${commands}` })
}

/** The same for a resumed run whose login is refused, if its password may be in the --config that it began with. */
export function withConfigAgain(thrown: unknown, config: string): RowmillError {
  const { code, message, facts, cause } = toRowmillError(thrown)
  if (code !== 'USAGE' || facts['property'] === undefined) return toRowmillError(thrown)
  const again = `The run began with --${OPTIONS.config.flag} ${config}: give that again`
  return new RowmillError(code, `${message}. ${again}`, facts, { cause })
}

/** The command that opens a job again, on the same pipeline. */
function replayWords(
  job: string,
  {
    brokers,
    commandConfig,
    config,
    sharedPipeline,
  }: OptionValues<'brokers' | 'commandConfig' | 'config' | 'sharedPipeline'>,
): string[] {
  const at = [
    ...(brokers === null ? [] : ['--brokers', brokers.join(',')]),
    ...(commandConfig === null ? [] : [`--${OPTIONS.commandConfig.flag}`, commandConfig]),
    ...(config === null ? [] : [`--${OPTIONS.config.flag}`, config]),
  ]
  return ['rowmill', 'rejects', 'replay', '--job', job, '--pipeline', sharedPipeline, ...at]
}

/** The command that was given, for a line to copy: without the time-out that may have ended it. */
export function sameCommand(given: readonly string[] = process.argv.slice(2)): string[] {
  const operands = given.indexOf('--')
  const end = operands === -1 ? given.length : operands
  const isTimeout = (at: number) => at < end && given[at] === '--timeout'
  const kept = given.filter(
    (word, at) => at >= end || !(isTimeout(at) || isTimeout(at - 1) || word.startsWith('--timeout=')),
  )
  return ['rowmill', ...kept]
}

function withFacts(thrown: unknown, more: Record<string, string>): RowmillError {
  const { code, message, facts, cause } = toRowmillError(thrown)
  return new RowmillError(code, message, { ...facts, ...more }, { cause })
}
