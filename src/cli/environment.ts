import { environmentOf, OPTIONS, type OptionSpec } from '../options.ts'
import { readSwitch } from '../parse-option.ts'
import { nearest } from '../support/nearest.ts'

const PREFIX = 'ROWMILL_'
/** Variables of the tests. */
const TEST_PREFIX = 'ROWMILL_TEST_'

/** Variables without an option that users may set. */
export const USER_VARIABLES = {
  ROWMILL_CACHE: 'the folder for Kafka and compiled code (default: rowmill in XDG_CACHE_HOME or ~/.cache)',
  ROWMILL_KAFKA_IMAGE: 'the container image of the local Kafka, where Java or Maven is missing',
  ROWMILL_FORK:
    'if false, the Python of each worker imports pandas itself (default: on Linux one Python does, and is forked for each)',
  ROWMILL_DEBUG: 'if true, an INTERNAL error shows its stack',
}

const OTHER_VARIABLES = [
  ...Object.keys(USER_VARIABLES),
  // from one process of rowmill to another
  'ROWMILL_STARTED_BY',
  'ROWMILL_CRASH',
  // for docker/compose.yaml
  'ROWMILL_IMAGE',
  'ROWMILL_USER',
]

/** Whether an INTERNAL error shows its stack. Throws USAGE. */
export function wantsStacks(env: NodeJS.ProcessEnv): boolean {
  return readSwitch(env, 'ROWMILL_DEBUG', false)
}

/**
 * The format of the log that a command line asks for, before it is read: what is wrong with it is logged in that format too.
 * A file of options may still choose another one.
 */
export function logFormatAskedFor(args: readonly string[], env: NodeJS.ProcessEnv): 'text' | 'json' {
  const { flag } = OPTIONS.logFormat
  const end = args.indexOf('--')
  const words = end === -1 ? args : args.slice(0, end)
  const given = words.map((word, at) => (words[at - 1] === `--${flag}` ? word : word.split(`--${flag}=`, 2)[1]))
  return (given.findLast(word => word !== undefined) ?? env[environmentOf(OPTIONS.logFormat)]) === 'json'
    ? 'json'
    : 'text'
}

/** A warning for each ROWMILL_ variable that rowmill does not know, because it is probably misspelt. */
export function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
  const meant = variablesByName()
  const known = new Set(meant.values())
  return Object.keys(environment)
    .filter(name => name.startsWith(PREFIX) && !name.startsWith(TEST_PREFIX) && !known.has(name))
    .map(name => {
      const near = nearest(name.slice(PREFIX.length), meant.keys())
      const hint = near === null ? 'it has no effect' : `did you mean ${meant.get(near)}?`
      return `rowmill reads no variable ${name}: ${hint}`
    })
}

/** Each variable by every name that somebody may give it, without the prefix. */
function variablesByName(): Map<string, string> {
  const byName = new Map(OTHER_VARIABLES.map(name => [name.slice(PREFIX.length), name]))
  for (const spec of Object.values<OptionSpec<unknown>>(OPTIONS)) {
    for (const flag of spec.commandLineOnly ? [] : [spec.flag, spec.alias])
      if (flag) byName.set(environmentOf({ ...spec, flag }).slice(PREFIX.length), environmentOf(spec))
  }
  return byName
}
