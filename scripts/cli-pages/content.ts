/** What docs/cli.md and the man page both say. */
import { type CommandSpec, commandOption } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { SHARED_OPTIONS } from '../../src/cli/shared-pipeline.ts'
import { EXIT_CODES } from '../../src/errors.ts'
import { environmentOf, OPTIONS, type OptionName, type OptionSpec } from '../../src/options.ts'

export interface OptionLine {
  /** `-b`, `--brokers`, `--bootstrap-server`. */
  readonly flags: readonly string[]
  readonly value: string | null
  readonly doc: string
  readonly fallback: string | null
  /** Null: the option is for the command line alone. */
  readonly variable: string | null
}

export interface CommandPage extends Pick<CommandSpec, 'name' | 'doc' | 'example' | 'operands' | 'json'> {
  /** `rowmill run [OPTIONS] [IN] [OUT]`. */
  readonly usage: string
  readonly options: readonly OptionLine[]
  /** Whether it also takes the options that commands on a shared pipeline have in common. */
  readonly isShared: boolean
  readonly exits: readonly string[]
}

export const INTRODUCTION = [
  'An option may also be given as an environment variable, or in the file of --config. The command line overrides the environment, the environment overrides the file, and the file overrides the default.',
  'For a switch, the variable is true (also yes, on or 1) or false (also no, off or 0), in small letters or capitals. An empty variable counts as not set.',
  'Before any work starts, rowmill refuses options that it does not know and values out of bounds.',
  'It warns of environment variables that look misspelt. Every command has -h (--help) and -V (--version).',
]

export const JSON_NOTE = [
  'With -o json (--output json) a command prints JSON on standard output instead of text: one object a line.',
  'Each object has all fields that are listed with its command. Messages go to standard error.',
  'A command that fails prints no JSON, except verify, which prints what it found. The exit code tells how the command ended.',
]

export const SHARED: readonly OptionLine[] = SHARED_OPTIONS.map(name => optionLine(OPTIONS[name]))

export const PAGES: readonly CommandPage[] = COMMANDS.map(spec => {
  const isShared = SHARED_OPTIONS.every(name => spec.options.includes(name))
  const own = spec.options.filter(name => !isShared || !(SHARED_OPTIONS as readonly OptionName[]).includes(name))
  const operands = spec.operands.map(({ name, optional }) => (optional ? `[${name}]` : name))
  const options = spec.options.length > 0 ? ['[OPTIONS]'] : []
  return {
    ...spec,
    usage: ['rowmill', spec.name, ...options, ...operands].join(' '),
    options: own.map(name => optionLine(commandOption(spec, name))),
    isShared,
    exits: exitsOf(spec),
  }
})

export const CODES_NOTE =
  'The first line of an error message ends with a code in brackets. rowmill explain CODE prints its cause and its cure.'

/** Each exit code with its meaning, and the error codes that lead to it. */
export const EXITS = [
  ['0', 'done; also when a signal stops broker, or work without --until-done'],
  [
    '1',
    'the input, the classifier, or reading and writing failed; doctor: this machine has a failure; adopt: a line needs a look',
  ],
  ['2', 'wrong usage, found before any work started, or an option that the rows prove wrong'],
  ['3', 'the broker, its topics or the schema registry cannot be used'],
  ['4', 'complete, but rows were rejected within --max-rejects'],
  ['5', 'more rows were rejected than --max-rejects allows'],
  ['6', 'rows are missing or malformed, or files differ'],
  ['7', 'status: the job is not complete yet, and is running'],
  ['8', 'status: the job is stalled, or its run was interrupted'],
  ['9', 'status: the job failed or was cancelled'],
  ['124', 'the time of --timeout is over'],
  ['129, 130, 143', 'ended by SIGHUP, SIGINT or SIGTERM before it was done'],
].map(([exit, meaning]) => {
  const isHere = ([, code]: [string, number]) => exit!.split(', ').includes(String(code))
  const codes = Object.entries(EXIT_CODES).filter(isHere)
  return { exit: exit!, meaning: meaning!, codes: codes.map(([code]) => code) }
})

function optionLine(spec: OptionSpec<unknown>): OptionLine {
  const { short, flag, alias, value, doc, fallbackDoc: fallback } = spec
  const flags = [...(short ? [`-${short}`] : []), `--${flag}`, ...(alias ? [`--${alias}`] : [])]
  return { flags, value, doc, fallback, variable: spec.commandLineOnly ? null : environmentOf(spec) }
}

function exitsOf({ options, exits = [] }: CommandSpec): string[] {
  if (options.every(name => name === 'output')) return ['0', '2'] // it only prints
  const timeout = options.includes('timeout') ? ['124'] : []
  return ['0', '1', '2', '3', ...exits.map(String), ...timeout, '129, 130, 143']
}
