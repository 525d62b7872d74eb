import { readFileSync } from 'node:fs'
import { unknownProperties } from '../client-config/client-config.ts'
import { ClientProperties, type Property } from '../client-config/client-properties.ts'
import { RowmillError } from '../errors.ts'
import { OPTIONS, type OptionSpec } from '../options.ts'
import { parseOption } from '../parse-option.ts'
import { nearest } from '../support/nearest.ts'
import { isOpen, openWarning } from './open-file.ts'
import { entriesOf, type YamlEntry } from './yaml-entries.ts'

/** The section with the properties of a Kafka client. */
export const KAFKA_SECTION = 'kafka'

/** A text that the option parses: the value of one key of the file, or an item of it. */
interface ConfigText {
  /** For messages: `rowmill.yaml, line 3: workers`. */
  readonly given: string
  readonly text: string
}

/** By the flag of an option. */
export type ConfigSettings = ReadonlyMap<string, readonly ConfigText[]>

export interface ConfigFile {
  readonly settings: ConfigSettings
  readonly warnings: readonly string[]
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list of texts',
  object: 'a mapping',
}

/** The options that a file may have, by key. Several commands have different options of one flag. */
export function configKeys(): Map<string, OptionSpec<unknown>> {
  const keys = new Map<string, OptionSpec<unknown>>()
  for (const spec of Object.values<OptionSpec<unknown>>(OPTIONS))
    if (!spec.commandLineOnly && !keys.has(spec.flag)) keys.set(spec.flag, spec)
  for (const { flag } of [OPTIONS.config, OPTIONS.property]) keys.delete(flag)
  return keys
}

/**
 * Reads a file of options in YAML. Throws USAGE with the file and the line: for what is not YAML, for a key that no option
 * has, with the nearest one, and for a value that its option does not take. No message shows a secret.
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const entries = await entriesOf(readText(path), path)
  const settings = new Map(entries.map(entry => settingOf(entry)))
  const holdsSecret = [...settings].some(([flag, texts]) => texts.some(({ text }) => isSecret(flag, text)))
  return { settings, warnings: holdsSecret && isOpen(path) ? [openWarning(path)] : [] }
}

/** The secrets alone. */
export function secretsOf(settings: ConfigSettings): ConfigSettings {
  const secrets = [...settings].map(
    ([flag, texts]) => [flag, texts.filter(({ text }) => isSecret(flag, text))] as const,
  )
  return new Map(secrets.filter(([, texts]) => texts.length > 0))
}

/** The value that the file has for an option, or the default. */
export function configured(spec: OptionSpec<unknown>, settings: ConfigSettings): unknown {
  const texts = settings.get(spec.flag)
  if (!texts) return spec.fallback
  const parsed = texts.map(({ given, text }) => parseOption(spec, given, text))
  return Array.isArray(spec.fallback) ? parsed.flat() : parsed[0]
}

function isSecret(flag: string, text: string): boolean {
  const spec: OptionSpec<unknown> = flag === OPTIONS.property.flag ? OPTIONS.property : configKeys().get(flag)!
  return spec.holdsSecret?.(text) ?? false
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const message = `--${OPTIONS.config.flag} ${path}: the file cannot be read: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { path }, { cause })
  }
}

function settingOf(entry: YamlEntry): [string, ConfigText[]] {
  const { key, where } = entry
  if (key === KAFKA_SECTION) return [OPTIONS.property.flag, propertyTexts(entry)]
  const keys = configKeys()
  const spec = keys.get(key)
  if (!spec) throw unknownKey(entry, keys)
  const texts = textsOf(entry, spec).map(text => ({ given: `${where}: ${key}`, text }))
  configured(spec, new Map([[key, texts]])) // refuses a value that the option does not take
  return [key, texts]
}

function textsOf({ key, value, type, where }: YamlEntry, { schema, joined }: OptionSpec<unknown>): string[] {
  if (type === 'null') throw usage(`${where}: ${key} has no value`, { key })
  const allowed = [schema.type].flat()
  const isTexts = !Array.isArray(value) || value.every(item => typeof item === 'string')
  if (!allowed.some(name => name === type) || !isTexts) {
    const wanted = allowed.map(name => TYPE_NAMES[name]).join(' or ')
    const hint = allowed.includes('string') && type !== 'array' && type !== 'object' ? ': put it in quotes' : ''
    throw usage(`${where}: ${key} must be ${wanted}${hint}`, { key })
  }
  if (Array.isArray(value)) return joined ? [joined(value)] : value
  return [typeof value === 'object' ? JSON.stringify(value) : String(value)]
}

/** Each property of the section as NAME=VALUE. Its values are read later, with the properties from elsewhere. */
function propertyTexts({ where, children }: YamlEntry): ConfigText[] {
  if (!children) throw usage(`${where}: ${KAFKA_SECTION} must be a mapping of client properties`, {})
  const properties = children.map(({ key, value, type, source, where }): Property => {
    if (type === 'array' || type === 'object' || type === 'null')
      throw usage(`${where}: ${key} must be text, a number, or true or false`, { key })
    return { name: key, value: typeof value === 'string' ? value : source!, where }
  })
  const [unknown] = unknownProperties(new ClientProperties(properties))
  if (unknown) throw usage(unknown.message, {})
  return properties.map(({ name, value, where }) => ({ given: where, text: `${name}=${value}` }))
}

function unknownKey({ key, where }: YamlEntry, keys: ReadonlyMap<string, OptionSpec<unknown>>): RowmillError {
  const names = new Map([...keys.keys(), KAFKA_SECTION].map(name => [name, name]))
  for (const { flag, alias } of keys.values()) if (alias) names.set(alias, flag)
  names.set(OPTIONS.property.flag, KAFKA_SECTION)
  const near = names.get(nearest(key, names.keys()) ?? '')
  const hint = near ? `did you mean ${near}?` : 'docs/cli.md lists them'
  return usage(`${where}: there is no option ${key}: ${hint}`, { key })
}

function usage(message: string, facts: Readonly<Record<string, string>>): RowmillError {
  return new RowmillError('USAGE', message, facts)
}
