import { RowmillError } from './errors.ts'
import { environmentOf, OPTIONS, type OptionSpec } from './options.ts'
import { maskUrl, mayHoldSecret, Secrets } from './support/credentials.ts'
import { parseSwitch } from './support/parse-value.ts'

/** Refuses a secret in a valid value on the command line. Throws USAGE that says where to put it, without showing it. */
export function refuseSecret(spec: OptionSpec<unknown>, text: string): void {
  if (!spec.holdsSecret?.(text)) return
  const value = shown(spec, text)
  const file =
    spec.flag === OPTIONS.property.flag
      ? `or in a file: --${OPTIONS.commandConfig.flag} FILE`
      : `or USER:PASSWORD in a file: --${OPTIONS.schemaRegistryUserinfoFile.flag} FILE`
  const message =
    `--${spec.flag} ${value}: every user of this machine can read a password on a command line. ` +
    `Give the same in the environment, as ${environmentOf(spec)}, ${file}`
  throw new RowmillError('USAGE', message, { option: spec.flag, value })
}

/** Parses a value. `given` is the flag or the variable. Throws USAGE with `given`, the value and what a valid one is. */
export function parseOption<T>(spec: OptionSpec<T>, given: string, text: string): T {
  try {
    return spec.parse(text, given)
  } catch (cause) {
    const value = shown(spec, text)
    if (value === text) {
      const message = `${given} ${JSON.stringify(value)}: ${(cause as Error).message}`
      throw new RowmillError('USAGE', message, { option: spec.flag, value }, { cause })
    }
    // What JSON.parse says quotes the text, so such an error is no cause of ours.
    const why = (cause as Error).message.replace(/, (\.\.\.)?".*is not valid JSON$/s, '')
    throw new RowmillError('USAGE', `${given} ${JSON.stringify(value)}: ${why}`, { option: spec.flag, value })
  }
}

/** What a variable that is no option says: true or false, `unless` if it is not set or empty. Throws USAGE. */
export function readSwitch(env: NodeJS.ProcessEnv, name: string, unless: boolean): boolean {
  const given = env[name] ?? ''
  if (given === '') return unless
  try {
    return parseSwitch(given)
  } catch (cause) {
    throw new RowmillError('USAGE', `${name} ${JSON.stringify(given)}: ${(cause as Error).message}`, {}, { cause })
  }
}

/** A value as messages may show it. */
function shown(spec: OptionSpec<unknown>, text: string): string {
  if (!spec.holdsSecret?.(text)) return new Secrets([text]).mask(text)
  if (spec.mask) return spec.mask(text)
  return mayHoldSecret(text) ? maskUrl(text) : '***'
}
