import { Argument, type Command, Option } from 'commander'
import { RowmillError } from '../errors.ts'
import { OPTIONS, type OptionName, type OptionSpec, type OptionValues } from '../options.ts'
import { nearest } from '../support/nearest.ts'
import { unknownVariables } from './environment.ts'
import type { JsonShape } from './json-output.ts'
import { logAbout, openLog, openProgressLines } from './log.ts'
import { attributeOf, givenConfig, readOptions, takeEnvironment } from './read-options.ts'
import { Terminal } from './terminal.ts'

/** One command: its name, what it takes, and what it does. */
export interface CommandSpec<N extends OptionName = OptionName> {
  /** One word, or the word of a group and its own: `jobs list`. */
  readonly name: string
  readonly operands: readonly Operand[]
  readonly doc: string
  readonly example: string
  readonly options: readonly N[]
  /** What an option does in this command, if it is not what its declaration says. */
  readonly docs?: Partial<Record<N, string>>
  /** What it prints with --output json. */
  readonly json?: JsonShape
  /** Exit codes that mean something in this command, besides those of every command. */
  readonly exits?: readonly number[]
  /** Resolves with the exit code. */
  act(operands: readonly (string | undefined)[], options: OptionValues<N>): Promise<number>
}

export interface Operand {
  /** With three dots at the end it takes any number of words, and is the last operand. */
  readonly name: string
  readonly doc: string
  readonly optional?: boolean
  /** The words that it may be. Undefined: the name of a file, or the id of a job. */
  readonly choices?: readonly string[]
  /** Other words, each with the choice that it means. */
  readonly synonyms?: Readonly<Record<string, string>>
}

const ENVIRONMENT =
  'Nearly every option has an environment variable: --batch-rows is ROWMILL_BATCH_ROWS. The command line overrides it.\n' +
  'The YAML file of --config can set it too, as batch-rows: 500. The command line and the environment override the file.\n'

/** Checks that `act` reads no option but those of the command. */
export function defineCommand<const N extends OptionName>(spec: CommandSpec<N>): CommandSpec {
  return spec as CommandSpec
}

/** An option with what it does in this command. */
export function commandOption({ docs = {} }: Pick<CommandSpec, 'docs'>, name: OptionName): OptionSpec<unknown> {
  const spec: OptionSpec<unknown> = OPTIONS[name]
  return { ...spec, doc: docs[name] ?? spec.doc }
}

/** Registers a command below `parent`, by the last word of its name. `finished` gets the exit code of `act`. */
export function addCommand(parent: Command, spec: CommandSpec, finished: (exitCode: number) => void): Command {
  const command = parent.command(spec.name.split(' ').at(-1)!).description(spec.doc)
  for (const { name, doc, optional, choices, synonyms } of spec.operands) {
    const argument = new Argument(optional ? `[${name}]` : `<${name}>`, doc)
    command.addArgument(choices ? argument.argParser(word => checkChoice(name, word, { choices, synonyms })) : argument)
  }
  for (const name of spec.options) addOption(command, commandOption(spec, name))
  command.addHelpText('after', `\nExample:\n  ${spec.example}\n`)
  if (spec.options.length > 0) command.addHelpText('after', ENVIRONMENT)
  return command.allowExcessArguments(false).action(async (...args) => {
    // The last operand may take several words: then its value is a list of them.
    const operands = args.slice(0, spec.operands.length).flat() as (string | undefined)[]
    logAbout({ command: spec.name })
    const environment = takeEnvironment()
    const given = args[spec.operands.length]
    const { settings, warnings } = await givenConfig(spec.options, given, environment)
    const options = readOptions(spec.options, given, { environment, settings })
    await prepareLog(options)
    const terminal = new Terminal(options)
    for (const warning of [...unknownVariables(environment), ...warnings]) terminal.say(warning, { level: 'warn' })
    finished(await spec.act(operands, options))
  })
}

/** A command without these options logs as the command line asked for, before it was read. */
async function prepareLog(options: Partial<OptionValues<OptionName>>): Promise<void> {
  const { logFormat, quiet, progress, progressFormat } = options
  if (logFormat) await openLog(logFormat)
  const { id, only, rejectsOf, pipeline, sharedPipeline = pipeline } = options
  const job = options.job ?? id ?? only ?? rejectsOf
  logAbout({ ...(job ? { job } : {}), ...(sharedPipeline ? { pipeline: sharedPipeline } : {}) })
  if (progressFormat === 'json' && progress && !quiet) await openProgressLines()
}

/** Which of `choices` the word is or means, in upper or lower case. Throws USAGE with the nearest one. */
function checkChoice(
  name: string,
  word: string,
  { choices, synonyms = {} }: { choices: readonly string[]; synonyms?: Readonly<Record<string, string>> | undefined },
): string {
  const plain = word.replace(/^\[(.*)\]$/, '$1').toLowerCase() // an error code may be pasted with its brackets
  const found = choices.find(choice => choice.toLowerCase() === plain)
  if (found) return found
  const meant = Object.keys(synonyms).find(synonym => synonym.toLowerCase() === plain)
  if (meant !== undefined) return synonyms[meant]!
  const near = nearest(word, choices)
  const hint = near ? `Did you mean ${near}?` : `It is one of ${choices.join(', ')}`
  throw new RowmillError('USAGE', `"${word}" is no ${name}. ${hint}`)
}

function addOption(command: Command, spec: OptionSpec<unknown>): void {
  const { short, flag, alias } = spec
  command.addOption(commanderOption(short ? `-${short}, --${flag}` : `--${flag}`, spec))
  if (alias) command.addOption(commanderOption(`--${alias}`, spec).hideHelp())
}

function commanderOption(flags: string, spec: OptionSpec<unknown>): Option {
  const option = new Option(spec.value === null ? flags : `${flags} <${spec.value}>`, describeOption(spec))
  // Commander would make "--no-progress" a default of its own. readOptions reads every value.
  if (spec.flag.startsWith('no-')) option.negate = false
  if (spec.value !== null) option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text])
  option.attributeName = () => attributeOf(spec) // an alias shares the values of its option
  return option
}

/** What an option does, its other name and its default, in one line. */
export function describeOption({ doc, alias, fallbackDoc }: OptionSpec<unknown>): string {
  const also = alias ? ` (also --${alias})` : ''
  return fallbackDoc === null ? `${doc}${also}` : `${doc}${also} (default: ${fallbackDoc})`
}
