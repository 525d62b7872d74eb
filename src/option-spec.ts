import {
  checkAddress,
  checkNames,
  nonEmpty,
  parseAge,
  parseObject,
  parseSwitch,
  wholeNumber,
} from './support/parse-value.ts'

/**
 * The declaration of an option: each has one. Its environment variable is its flag in capitals after ROWMILL_. The flag
 * wins. `parse` throws a message that says what a valid value is. The caller adds flag and value.
 */
export interface OptionSpec<T> {
  readonly flag: string
  /** The letter of a one-letter flag. */
  readonly short?: string
  /** Another long flag with the same meaning. It has no variable of its own. */
  readonly alias?: string
  /** The name of the value in the help. Null for a switch, which has no value. */
  readonly value: string | null
  readonly doc: string
  readonly fallback: T
  /** The default as the help shows it. Null if the help does not mention it. */
  readonly fallbackDoc: string | null
  /**
   * Whether this value is a secret. A secret is taken from the environment and refused as a flag, because every user of
   * the machine can read a command line, and the shell keeps it. No error shows it, and no child process inherits it.
   */
  readonly holdsSecret?: (text: string) => boolean
  /** The value as messages may show it, if it holds a secret. Default: only what a URL shows, or *** . */
  readonly mask?: (text: string) => string
  /** Whether values on the command line come after those of the environment, instead of replacing them. */
  readonly addsToEnvironment?: boolean
  parse(text: string): T
}

export function text(flag: string, value: string, doc: string, fallback: string): OptionSpec<string> {
  return { flag, value, doc, fallback, fallbackDoc: fallback, parse: nonEmpty }
}

export function choice<const T extends string>(
  flag: string,
  values: readonly T[],
  doc: string,
  fallback: NoInfer<T>,
): OptionSpec<T> {
  const parse = (given: string) => {
    const value = values.find(known => known === given)
    if (value === undefined) throw new Error(`must be ${values.join(' or ')}`)
    return value
  }
  return { flag, value: values.join('|'), doc, fallback, fallbackDoc: fallback, parse }
}

export function optional(
  flag: string,
  value: string,
  doc: string,
  fallbackDoc: string | null = null,
): OptionSpec<string | null> {
  return { flag, value, doc, fallback: null, fallbackDoc, parse: nonEmpty }
}

export function list(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  const parse = (given: string) => given.split(',').map(address => checkAddress(address.trim()))
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse }
}

/** A number of milliseconds, given as 30m, 12h or 7d. */
export function age(flag: string, doc: string): OptionSpec<number | null> {
  return { flag, value: 'AGE', doc, fallback: null, fallbackDoc: null, parse: parseAge }
}

export function names(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  return { flag, value, doc, fallback: null, fallbackDoc: null, parse: checkNames }
}

export function repeated(flag: string, value: string, doc: string): OptionSpec<readonly string[]> {
  return { flag, value, doc, fallback: [], fallbackDoc: null, parse: given => [nonEmpty(given)] }
}

export function flag(name: string, doc: string): OptionSpec<boolean> {
  return { flag: name, value: null, doc, fallback: false, fallbackDoc: null, parse: parseSwitch }
}

export function json(flag: string, doc: string, fallbackDoc: string): OptionSpec<Readonly<Record<string, unknown>>> {
  return { flag, value: 'JSON', doc, fallback: {}, fallbackDoc, parse: parseObject }
}

export function integer(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
  { fallback, doc: fallbackDoc }: { fallback: number; doc?: string },
): OptionSpec<number> {
  const parse = (given: string) => wholeNumber(given, bounds)
  return { flag, value, doc, fallback, fallbackDoc: fallbackDoc ?? String(fallback), parse }
}

export function optionalInteger(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
  fallbackDoc: string,
): OptionSpec<number | null> {
  return { flag, value, doc, fallback: null, fallbackDoc, parse: given => wholeNumber(given, bounds) }
}
