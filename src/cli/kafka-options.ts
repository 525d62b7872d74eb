import { readFile } from 'node:fs/promises'
import { type ClientConfig, clientConfig, unknownProperties } from '../client-config/client-config.ts'
import { ClientProperties, type Property } from '../client-config/client-properties.ts'
import type { KafkaOptions } from '../client-config/kafka-options.ts'
import { KNOWN_NAMES } from '../client-config/known-names.ts'
import { oddities, parseProperties } from '../client-config/properties-file.ts'
import { RowmillError } from '../errors.ts'
import { type ClientInput, OPTIONS, type OptionValues } from '../options.ts'
import { isSecretProperty } from '../support/property-text.ts'
import type { Say } from '../support/say.ts'
import { isOpen, openWarning } from './open-file.ts'
import { PROPERTY_VARIABLE } from './read-options.ts'

/** The options that say which cluster to use and how to reach it, and the file that may have them. */
export const KAFKA_OPTIONS = ['brokers', 'commandConfig', 'property', 'allowSaslWithoutTls', 'config'] as const

/**
 * The cluster that the user means, and what its properties say besides. Null without any broker. A property that no Kafka
 * client knows is an error if it was given by hand, and logged if it comes from a file of properties. Throws USAGE.
 */
export async function readKafkaOptions(
  { property: input, allowSaslWithoutTls }: OptionValues<'property' | 'allowSaslWithoutTls'>,
  say: Say,
): Promise<{ kafka: KafkaOptions | null; config: ClientConfig }> {
  const file = input.findLast(isFile)
  const ofFile = file ? await readProperties(file.file) : []
  const given = new ClientProperties(input.flatMap(each => (isFile(each) ? (each === file ? ofFile : []) : [each])))
  const fromFile = new Set(ofFile)
  for (const { property, message } of unknownProperties(given)) {
    if (!fromFile.has(property)) throw new RowmillError('USAGE', message)
    say(message, { level: 'warn' })
  }
  const ofVariable = input.filter(isProperty).filter(({ where }) => where.startsWith(`${PROPERTY_VARIABLE},`))
  for (const message of [...oddities(ofFile), ...oddities(ofVariable)]) say(message, { level: 'warn' })
  if (file && ofFile.some(isSecretProperty) && isOpen(file.file)) say(openWarning(file.file), { level: 'warn' })
  const config = clientConfig(given)
  if (file && config.brokers === null)
    say(`${file.file} has no bootstrap.servers, so its properties have no effect`, { level: 'warn' })
  const known = [...given].filter(({ name }) => KNOWN_NAMES.has(name))
  const properties = Object.fromEntries(known.map(({ name, value }) => [name, value]))
  const { brokers, tls } = config
  const ssl = tls ? { ssl: tls } : {} // which knows where each property was given
  return { kafka: brokers && { brokers, properties, ...ssl, allowSaslWithoutTls }, config }
}

function isFile(input: ClientInput): input is { readonly file: string } {
  return 'file' in input
}

function isProperty(input: ClientInput): input is Property {
  return !isFile(input)
}

async function readProperties(file: string): Promise<Property[]> {
  return parseProperties(await readText(file), file)
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const message = `--${OPTIONS.commandConfig.flag} ${file}: the file cannot be read: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { path: file }, { cause })
  }
}
