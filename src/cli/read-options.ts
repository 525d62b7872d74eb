import {
  environmentOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
  type OptionValues,
  parseOption,
  refuseSecret,
} from '../options.ts'
import { type ConfigFile, type ConfigSettings, configured, readConfigFile, secretsOf } from './config-file.ts'
import { hideSecretsOf } from './terminal.ts'

/** What commander found of an option: a switch, or every value that was given for it. */
type OptionInput = string[] | true | undefined

/**
 * The environment as it is. From now on process.env lacks the secrets, so that no process started later inherits one. It lacks
 * all properties, because we cannot know every secret among them: the command for a token may hold one.
 */
export function takeEnvironment(): NodeJS.ProcessEnv {
  const environment = { ...process.env }
  for (const spec of Object.values<OptionSpec<unknown>>(OPTIONS)) {
    const variable = environmentOf(spec)
    if (spec.addsToEnvironment || spec.holdsSecret?.(environment[variable] ?? '')) delete process.env[variable]
  }
  return environment
}

/** What was given apart from the command line. */
export interface OtherInput {
  readonly environment: NodeJS.ProcessEnv
  readonly settings: ConfigSettings
}

/**
 * The configuration file that the command line or the environment names, as far as it counts. Client properties of the file
 * give way to a --command-config that does not come from the file. A run that is resumed keeps the options it began with,
 * so it takes only secrets, which it did not keep.
 */
export async function givenConfig(
  names: readonly OptionName[],
  given: Readonly<Record<string, OptionInput>>,
  environment: NodeJS.ProcessEnv,
): Promise<ConfigFile> {
  const input = { environment, settings: new Map() }
  const said = (name: OptionName) =>
    names.includes(name) ? readOption(OPTIONS[name], given[attributeOf(OPTIONS[name])], input) : null
  const path = said('config')
  if (path === null) return { settings: new Map(), warnings: [] }
  const { settings, warnings } = await readConfigFile(path as string)
  hideSecretsOf([...settings.values()].flatMap(({ texts }) => texts))
  if (said('resume') !== null) return { settings: secretsOf(settings), warnings }
  if (said('commandConfig') === null) return { settings, warnings }
  return { settings: new Map([...settings].filter(([flag]) => flag !== OPTIONS.property.flag)), warnings }
}

/** The values of these options: from the command line, else from the environment, else from the file, else the defaults. */
export function readOptions<N extends OptionName>(
  names: readonly N[],
  given: Readonly<Record<string, OptionInput>>,
  input: OtherInput,
): OptionValues<N> {
  const values: Partial<Record<N, unknown>> = {}
  for (const name of names) {
    const spec: OptionSpec<unknown> = OPTIONS[name]
    values[name] = readOption(spec, given[attributeOf(spec)], input)
  }
  return values as OptionValues<N>
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
  if (!Array.isArray(spec.fallback)) return parsed.at(-1)
  const before = spec.addsToEnvironment ? readVariable(spec, input) : []
  return [...(before as unknown[]), ...parsed.flat()]
}

function readVariable(spec: OptionSpec<unknown>, { environment, settings }: OtherInput): unknown {
  if (spec.commandLineOnly) return spec.fallback
  const variable = environmentOf(spec)
  const text = environment[variable]
  const ofFile = () => configured(spec, settings)
  if (text === undefined || text === '') return ofFile()
  const parsed = parseOption(spec, variable, text)
  return spec.addsToEnvironment ? [...(ofFile() as unknown[]), ...(parsed as unknown[])] : parsed
}
