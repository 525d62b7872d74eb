import {
  checkAddress,
  checkNames,
  nonEmpty,
  parseAge,
  parseObject,
  parseSwitch,
  wholeNumber,
} from './support/parse-value.ts'

/** A type of a value in JSON and in YAML, as JSON Schema names it. */
export type ValueType = 'string' | 'integer' | 'boolean' | 'array' | 'object'

/** The JSON Schema of the value of an option in a configuration file. A list has texts as its items. */
export interface ValueSchema {
  readonly type: ValueType | readonly ValueType[]
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
}

/**
 * The declaration of an option: each has one. Its environment variable is its flag in capitals after ROWMILL_, and its key
 * in a configuration file is its flag. The flag wins over the variable, and the variable over the file.
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
  /** Whether the option has neither a variable nor a key, because its flag means something else in other commands. */
  readonly commandLineOnly?: boolean
  readonly schema: ValueSchema
  /** The text that `parse` takes for a list. Default: it takes the items one by one. */
  readonly joined?: (items: readonly string[]) => string
  /**
   * `given` is where the text is: a flag, a variable, or a line of a file. Throws a message that says what a valid value is.
   * The caller adds `given` and the text.
   */
  parse(text: string, given: string): T
}

const TEXT: ValueSchema = { type: 'string' }
const LIST: ValueSchema = { type: ['array', 'string'] }

export function text(flag: string, value: string, doc: string, fallback: string): OptionSpec<string> {
  return { flag, value, doc, fallback, fallbackDoc: fallback, schema: TEXT, parse: nonEmpty }
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
  const schema: ValueSchema = { type: 'string', enum: values }
  return { flag, value: values.join('|'), doc, fallback, fallbackDoc: fallback, schema, parse }
}

export function optional(
  flag: string,
  value: string,
  doc: string,
  fallbackDoc: string | null = null,
): OptionSpec<string | null> {
  return { flag, value, doc, fallback: null, fallbackDoc, schema: TEXT, parse: nonEmpty }
}

export function list(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  const parse = (given: string) => given.split(',').map(address => checkAddress(address.trim()))
  const joined = (items: readonly string[]) => items.join(',')
  return { flag, value, doc, fallback: null, fallbackDoc: null, schema: LIST, joined, parse }
}

/** A number of milliseconds, given as 30m, 12h or 7d. */
export function age(flag: string, doc: string): OptionSpec<number | null> {
  return { flag, value: 'AGE', doc, fallback: null, fallbackDoc: null, schema: TEXT, parse: parseAge }
}

export function names(flag: string, value: string, doc: string): OptionSpec<readonly string[] | null> {
  const joined = (items: readonly string[]) => JSON.stringify(items)
  return { flag, value, doc, fallback: null, fallbackDoc: null, schema: LIST, joined, parse: checkNames }
}

export function repeated(flag: string, value: string, doc: string): OptionSpec<readonly string[]> {
  return { flag, value, doc, fallback: [], fallbackDoc: null, schema: LIST, parse: given => [nonEmpty(given)] }
}

export function flag(name: string, doc: string): OptionSpec<boolean> {
  return {
    flag: name,
    value: null,
    doc,
    fallback: false,
    fallbackDoc: null,
    schema: { type: 'boolean' },
    parse: parseSwitch,
  }
}

export function json(flag: string, doc: string, fallbackDoc: string): OptionSpec<Readonly<Record<string, unknown>>> {
  return { flag, value: 'JSON', doc, fallback: {}, fallbackDoc, schema: { type: 'object' }, parse: parseObject }
}

export function integer(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
  { fallback, doc: fallbackDoc }: { fallback: number; doc?: string },
): OptionSpec<number> {
  const parse = (given: string) => wholeNumber(given, bounds)
  const schema = numberWithin(bounds)
  return { flag, value, doc, fallback, fallbackDoc: fallbackDoc ?? String(fallback), schema, parse }
}

export function optionalInteger(
  flag: string,
  value: string,
  doc: string,
  bounds: readonly [number, number],
  fallbackDoc: string,
): OptionSpec<number | null> {
  const parse = (given: string) => wholeNumber(given, bounds)
  return { flag, value, doc, fallback: null, fallbackDoc, schema: numberWithin(bounds), parse }
}

function numberWithin([minimum, maximum]: readonly [number, number]): ValueSchema {
  return { type: 'integer', minimum, maximum }
}
