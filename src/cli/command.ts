import { type Command, Option } from 'commander'
import {
  environmentOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
  type OptionValues,
  parseOption,
  refuseSecret,
} from '../options.ts'

/** One command: what it is called, what it takes, and what it does. `act` returns the exit code. */
export interface CommandSpec<N extends OptionName> {
  readonly name: string
  readonly operands: readonly { readonly name: string; readonly doc: string; readonly optional?: boolean }[]
  readonly doc: string
  readonly example: string
  readonly options: readonly N[]
  act(operands: readonly (string | undefined)[], options: OptionValues<N>): Promise<number>
}

/** Registers the command; `finished` gets the exit code of `act`. */
export function addCommand<N extends OptionName>(
  program: Command,
  spec: CommandSpec<N>,
  finished: (exitCode: number) => void,
): void {
  const command = program.command(spec.name).description(spec.doc)
  for (const { name, doc, optional } of spec.operands) command.argument(optional ? `[${name}]` : `<${name}>`, doc)
  for (const name of spec.options) command.addOption(commanderOption(OPTIONS[name]))
  command.addHelpText(
    'after',
    `\nExample:\n  ${spec.example}\n\nEvery option has a twin in the environment: --batch-rows is ROWMILL_BATCH_ROWS.\n`,
  )
  command.allowExcessArguments(false)
  command.action(async (...args) => {
    const operands = args.slice(0, spec.operands.length) as (string | undefined)[]
    const given = args[spec.operands.length] as Record<string, string | string[] | true | undefined>
    finished(await spec.act(operands, readOptions(spec.options, given, takeEnvironment())))
  })
}

function commanderOption(spec: OptionSpec<unknown>): Option {
  const doc = spec.fallbackDoc === null ? spec.doc : `${spec.doc} (default: ${spec.fallbackDoc})`
  const option = new Option(spec.value === null ? `--${spec.flag}` : `--${spec.flag} <${spec.value}>`, doc)
  // Commander would make "--no-progress" a default of its own; every value is read in readOptions.
  if (spec.flag.startsWith('no-')) option.negate = false
  if (spec.value !== null) option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text])
  return option
}

/** The environment as it is, and from now on without what holds a secret: no process started later inherits that. */
function takeEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env }
  for (const spec of Object.values<OptionSpec<unknown>>(OPTIONS)) {
    const variable = environmentOf(spec)
    if (spec.holdsSecret?.(environment[variable] ?? '')) delete process.env[variable]
  }
  return environment
}

function readOptions<N extends OptionName>(
  names: readonly N[],
  given: Record<string, string | string[] | true | undefined>,
  environment: NodeJS.ProcessEnv,
): OptionValues<N> {
  const values: Partial<Record<N, unknown>> = {}
  for (const name of names) {
    const spec: OptionSpec<unknown> = OPTIONS[name]
    values[name] = readOption(spec, given[attributeOf(spec)], environment)
  }
  return values as OptionValues<N>
}

function readOption(
  spec: OptionSpec<unknown>,
  flags: string | string[] | true | undefined,
  environment: NodeJS.ProcessEnv,
): unknown {
  if (flags === true) return parseOption(spec, `--${spec.flag}`, 'true')
  if (Array.isArray(flags)) {
    for (const text of flags) refuseSecret(spec, text)
    const parsed = flags.map(text => parseOption(spec, `--${spec.flag}`, text))
    return Array.isArray(spec.fallback) ? parsed.flat() : parsed.at(-1)
  }
  const variable = environmentOf(spec)
  const text = environment[variable]
  return text === undefined || text === '' ? spec.fallback : parseOption(spec, variable, text)
}

function attributeOf({ flag }: OptionSpec<unknown>): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
