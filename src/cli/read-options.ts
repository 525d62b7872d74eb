import { parseProperties } from '../client-config/properties-file.ts'
import {
  type ClientInput,
  environmentOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
  type OptionValues,
} from '../options.ts'
import { parseOption, refuseSecret } from '../parse-option.ts'
import { type ConfigFile, type ConfigSettings, configured, readConfigFile, secretsOf } from './config-file.ts'
import { hideSecretsOf } from './log.ts'

/** What commander found of an option: a switch, or every value that was given for it. */
type OptionInput = string[] | true | undefined

/** What commander found of all options, by `attributeOf`. */
type CommandLine = Readonly<Record<string, OptionInput>>

/**
 * The environment as it is. From now on process.env lacks the secrets, so that no process started later inherits one. It lacks
 * all client properties, because we cannot know every secret among them.
 */
export function takeEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env }
  for (const spec of Object.values<OptionSpec<unknown>>(OPTIONS)) {
    const variable = environmentOf(spec)
    const isSecret = spec.flag === OPTIONS.property.flag || spec.holdsSecret?.(environment[variable] ?? '')
    if (isSecret) delete process.env[variable]
  }
  return environment
}

/** What was given apart from the command line. */
export interface OtherInput {
  readonly environment: NodeJS.ProcessEnv
  readonly settings: ConfigSettings
}

const NO_SETTINGS: ConfigSettings = new Map()
/** It holds the text of a properties file. */
export const PROPERTY_VARIABLE = environmentOf(OPTIONS.property)

/**
 * The configuration file that the command line or the environment names, as far as it counts. Client properties of the file
 * give way to a --command-config that does not come from the file. A run that is resumed keeps the options it began with,
 * so it takes only secrets, which it did not keep.
 */
export async function givenConfig(
  names: readonly OptionName[],
  given: CommandLine,
  environment: NodeJS.ProcessEnv,
): Promise<ConfigFile> {
  const input = { environment, settings: NO_SETTINGS }
  const said = (name: OptionName) =>
    names.includes(name) ? readOption(OPTIONS[name], given[attributeOf(OPTIONS[name])], input) : null
  const path = said('config')
  if (path === null) return { settings: NO_SETTINGS, warnings: [] }
  const { settings, warnings } = await readConfigFile(path as string)
  hideSecretsOf([...settings.values()].flat().map(({ text }) => text))
  if (said('resume') !== null) return { settings: secretsOf(settings), warnings }
  if (said('commandConfig') === null) return { settings, warnings }
  return { settings: new Map([...settings].filter(([flag]) => flag !== OPTIONS.property.flag)), warnings }
}

/**
 * The values of these options: from the command line, else from the environment, else from the file, else the defaults. The
 * value of `property` is all that was said of the cluster, wherever it was said.
 */
export function readOptions<N extends OptionName>(
  names: readonly N[],
  given: CommandLine,
  input: OtherInput,
): OptionValues<N> {
  const values: Partial<Record<N, unknown>> = {}
  for (const name of names) {
    const spec: OptionSpec<unknown> = OPTIONS[name]
    values[name] = name === 'property' ? clientInput(given, input) : readOption(spec, given[attributeOf(spec)], input)
  }
  return values as OptionValues<N>
}

/**
 * What the configuration file, the environment and the command line say of the cluster, in this order: of each its file of
 * properties, its properties and its brokers. Later ones win, so each place wins as a whole over the one before it.
 */
function clientInput(given: CommandLine, { environment, settings }: OtherInput): ClientInput[] {
  const places: [CommandLine, OtherInput][] = [
    [{}, { environment: {}, settings }],
    [{}, { environment, settings: NO_SETTINGS }],
    [given, { environment: {}, settings: NO_SETTINGS }],
  ]
  return places.flatMap(([given, input]) => {
    const read = <T>(spec: OptionSpec<T>) => readOption(spec, given[attributeOf(spec)], input) as T
    const [file, brokers] = [read(OPTIONS.commandConfig), read(OPTIONS.brokers)]
    const text = input.environment[PROPERTY_VARIABLE] ?? ''
    const servers = { name: 'bootstrap.servers', where: `--${OPTIONS.brokers.flag}` }
    return [
      ...(file === null ? [] : [{ file }]),
      ...(text === '' ? read(OPTIONS.property) : parseProperties(text, PROPERTY_VARIABLE)),
      ...(brokers === null ? [] : [{ ...servers, value: brokers.join(',') }]),
    ]
  })
}

/** The key of an option among the values that commander collects. */
export function attributeOf({ flag }: OptionSpec<unknown>): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function readOption(spec: OptionSpec<unknown>, given: OptionInput, input: OtherInput): unknown {
  if (given === true) return parseOption(spec, `--${spec.flag}`, 'true')
  if (given === undefined) return readVariable(spec, input)
  const parsed = given.map(text => parseOption(spec, `--${spec.flag}`, text))
  for (const text of given) refuseSecret(spec, text)
  return Array.isArray(spec.fallback) ? parsed.flat() : parsed.at(-1)
}

function readVariable(spec: OptionSpec<unknown>, { environment, settings }: OtherInput): unknown {
  if (spec.commandLineOnly) return spec.fallback
  const variable = environmentOf(spec)
  const text = environment[variable]
  return text === undefined || text === '' ? configured(spec, settings) : parseOption(spec, variable, text)
}
