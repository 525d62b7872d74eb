import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { holdsCredentials, withoutCredentials } from '../support/credentials.ts'
import { isSecretProperty } from '../support/property-text.ts'
import { jobOptions } from './job-options.ts'
import { checkOutputFree } from './json-output.ts'
import { KAFKA_OPTIONS } from './kafka-options.ts'

export const RUN_OPTIONS = [
  'classifier',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'maxRejects',
  'partitions',
  ...KAFKA_OPTIONS,
  'brokerTimeout',
  'compression',
  'pipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'python',
  'job',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'readCsv',
  'toCsv',
  'force',
  'restart',
  'resume',
  'timeout',
  'quiet',
  'progress',
  'report',
  'output',
] as const

export type RunValues = OptionValues<(typeof RUN_OPTIONS)[number]>

/** The options that --resume accepts. All others stay as the run began. */
const FREE_WHEN_RESUMED: ReadonlySet<string> = new Set([
  'resume',
  'workers',
  'timeout',
  'quiet',
  'progress',
  'report',
  'output',
  'schemaRegistryUserinfoFile',
  'commandConfig',
  'config',
])

/**
 * The options of a run that is resumed: those it began with, and of `given` those that may change. Throws USAGE if
 * `given` changes another one.
 */
export function resumedOptions(begun: RunValues, given: RunValues): RunValues {
  const options: RunValues = { ...begun }
  for (const name of RUN_OPTIONS) {
    const { flag, fallback } = OPTIONS[name]
    if (isSame(given[name], fallback)) continue
    if (name === 'property') Object.assign(options, { property: [...begun.property, ...given.property] })
    else if (FREE_WHEN_RESUMED.has(name)) Object.assign(options, { [name]: given[name] })
    else if (!isSame(withoutSecrets(given)[name], begun[name]))
      throw new RowmillError(
        'USAGE',
        `--${flag} cannot be changed by --resume, which uses the options that the run began with. Leave --${flag} out`,
      )
  }
  // run.json keeps no user and no password: they come from the environment again, or from the file.
  if (given.schemaRegistry !== null && holdsCredentials(given.schemaRegistry))
    Object.assign(options, { schemaRegistry: given.schemaRegistry, schemaRegistryUserinfoFile: null })
  return options
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** The options as run.json keeps them: no file of rowmill holds a password. */
export function withoutSecrets(options: RunValues): RunValues {
  const { schemaRegistry } = options
  return {
    ...options,
    schemaRegistry: schemaRegistry === null ? null : withoutCredentials(schemaRegistry),
    property: options.property
      .filter(input => 'file' in input || !isSecretProperty(input))
      .map(input => ('file' in input ? { file: resolve(input.file) } : input)),
    commandConfig: options.commandConfig === null ? null : resolve(options.commandConfig),
    config: options.config === null ? null : resolve(options.config), // to name it: what it said is among the options
  }
}

/** Checks a command line before anything starts. Returns the options that go into the job record. Throws USAGE. */
export function checkOptions(input: string, output: string, options: RunValues): JobOption[] {
  if (options.classifier === null) {
    throw new RowmillError(
      'USAGE',
      'which classifier? Give --classifier FILE[:NAME]; rowmill run --help shows an example',
    )
  }
  checkOutputFree(output, options.output)
  if (options.job !== null) checkName('--job', options.job)
  if (options.pipeline !== null) checkName('--pipeline', options.pipeline)
  if (options.report !== null && !existsSync(dirname(options.report))) {
    const message = `--report ${options.report}: the folder does not exist, create it first`
    throw new RowmillError('USAGE', message, { path: options.report })
  }
  if (input !== '-' && output !== '-' && sameFile(input, output)) {
    throw new RowmillError('USAGE', `IN and OUT are the same file, ${input}: choose another OUT`, { path: input })
  }
  const { compression } = options.toCsv
  if (output === '-' && typeof compression !== 'undefined' && compression !== null && compression !== 'infer') {
    const message =
      '--to-csv compression: standard output is not compressed, and pandas would not do it either. ' +
      'Leave it out and pipe OUT into a compressor'
    throw new RowmillError('USAGE', message)
  }
  return jobOptions(options)
}

function sameFile(a: string, b: string): boolean {
  try {
    const [first, second] = [statSync(realpathSync(a)), statSync(realpathSync(b))]
    return first.dev === second.dev && first.ino === second.ino
  } catch {
    return false // one of them does not exist
  }
}
