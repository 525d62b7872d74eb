import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { checkToCsv } from '../pandas/to-csv.ts'
import { holdsCredentials, withoutCredentials } from '../support/credentials.ts'
import { checkOutputFree } from './json-output.ts'
import { KAFKA_OPTIONS } from './kafka-options.ts'
import { LOG_OPTIONS } from './log-options.ts'
import { METER_OPTIONS } from './metering.ts'
import { checkPasted } from './pasted-calls.ts'
import { publicProperties } from './public-properties.ts'

export const RUN_OPTIONS = [
  'classifier',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'probe',
  'maxRejects',
  'outputRows',
  'partitions',
  ...KAFKA_OPTIONS,
  'brokerTimeout',
  'compression',
  'keep',
  'noKeep',
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
  'read',
  'write',
  'lowMemory',
  'force',
  'restart',
  'resume',
  'timeout',
  ...LOG_OPTIONS,
  'progress',
  'progressFormat',
  'tracing',
  ...METER_OPTIONS,
  'report',
  'output',
] as const

export type RunValues = OptionValues<(typeof RUN_OPTIONS)[number]>

/** Options about the command and not about the run: they are as given now. */
const OF_COMMAND: ReadonlySet<string> = new Set(['logFormat', 'logLevel', 'progressFormat', ...METER_OPTIONS])

/** The options that --resume accepts. All others stay as the run began. */
const FREE_WHEN_RESUMED: ReadonlySet<string> = new Set([
  'resume',
  'workers',
  'probe',
  'timeout',
  'quiet',
  'progress',
  'tracing',
  'report',
  'output',
  'schemaRegistryUserinfoFile',
  'commandConfig',
  'config',
  'keep', // a run that is resumed goes where its topics are
  'noKeep',
])

/**
 * The options of a run that is resumed: those it began with, and of `given` those that may change. Throws USAGE if
 * `given` changes another one.
 */
export function resumedOptions(begun: RunValues, given: RunValues): RunValues {
  const ofCommand = Object.fromEntries([...OF_COMMAND].map(name => [name, given[name as keyof RunValues]]))
  const options: RunValues = { ...begun, ...ofCommand }
  for (const name of RUN_OPTIONS) {
    if (OF_COMMAND.has(name)) continue
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
    property: publicProperties(options.property),
    commandConfig: options.commandConfig === null ? null : resolve(options.commandConfig),
    config: options.config === null ? null : resolve(options.config), // to name it: what it said is among the options
  }
}

/** Checks a command line before anything starts, without what the calls in it say. Throws USAGE. */
export function checkOptions(input: string, output: string, options: RunValues): void {
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
  checkPasted(input, options)
}

/** Throws USAGE for arguments of to_csv that ask to pack or to encode standard output. */
export function checkStandardOutput(output: string, toCsv: Readonly<Record<string, unknown>>): void {
  if (output !== '-') return
  const { compression, encoding } = checkToCsv(toCsv).file
  const refuse = (name: string, why: string) => new RowmillError('USAGE', `--to-csv ${name}: ${why}`)
  if (compression !== null && compression !== 'infer')
    throw refuse(
      'compression',
      'standard output is not compressed, and pandas would not do it either. Leave it out and pipe OUT into a compressor',
    )
  if (encoding !== null)
    throw refuse(
      'encoding',
      'standard output gets UTF-8, and pandas would not encode it either. Leave it out and pipe OUT into iconv',
    )
}

function sameFile(a: string, b: string): boolean {
  try {
    const [first, second] = [statSync(realpathSync(a)), statSync(realpathSync(b))]
    return first.dev === second.dev && first.ino === second.ino
  } catch {
    return false // one of them does not exist
  }
}
