import {
  environmentOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
  type OptionValues,
  parseOption,
  refuseSecret,
} from '../options.ts'

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

/** The values of these options: from the command line, else from the environment, else the defaults. */
export function readOptions<N extends OptionName>(
  names: readonly N[],
  given: Readonly<Record<string, OptionInput>>,
  environment: NodeJS.ProcessEnv,
): OptionValues<N> {
  const values: Partial<Record<N, unknown>> = {}
  for (const name of names) {
    const spec: OptionSpec<unknown> = OPTIONS[name]
    values[name] = readOption(spec, given[attributeOf(spec)], environment)
  }
  return values as OptionValues<N>
}

/** The key of an option among the values that commander collects. */
export function attributeOf({ flag }: OptionSpec<unknown>): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function readOption(spec: OptionSpec<unknown>, given: OptionInput, environment: NodeJS.ProcessEnv): unknown {
  if (given === true) return parseOption(spec, `--${spec.flag}`, 'true')
  if (given !== undefined) {
    const parsed = given.map(text => parseOption(spec, `--${spec.flag}`, text))
    for (const text of given) refuseSecret(spec, text)
    if (!Array.isArray(spec.fallback)) return parsed.at(-1)
    const before = spec.addsToEnvironment ? readOption(spec, undefined, environment) : []
    return [...(before as unknown[]), ...parsed.flat()]
  }
  const variable = environmentOf(spec)
  const text = environment[variable]
  return text === undefined || text === '' ? spec.fallback : parseOption(spec, variable, text)
}
