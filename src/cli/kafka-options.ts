import { readFile } from 'node:fs/promises'
import { type ClientConfig, clientConfig, unknownProperties } from '../client-config/client-config.ts'
import { ClientProperties, type Property, parseProperties } from '../client-config/client-properties.ts'
import type { KafkaOptions } from '../client-config/kafka-options.ts'
import { RowmillError } from '../errors.ts'
import { type ClientInput, OPTIONS, type OptionValues } from '../options.ts'
import type { Say } from '../support/say.ts'

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
  const config = clientConfig(given)
  for (const { property, near } of unknownProperties(given)) {
    const message = `${property.where}: no Kafka client has a property ${property.name}${near ? `. Did you mean ${near}?` : ''}`
    if (!ofFile.includes(property)) throw new RowmillError('USAGE', message, { property: property.name })
    say(message)
  }
  const properties = Object.fromEntries([...given].map(({ name, value }) => [name, value]))
  const { brokers } = config
  return { kafka: brokers && { brokers, properties, allowSaslWithoutTls }, config }
}

function isFile(input: ClientInput): input is { readonly file: string } {
  return 'file' in input
}

async function readProperties(file: string): Promise<Property[]> {
  try {
    return parseProperties(await readFile(file, 'utf8'), file)
  } catch (cause) {
    const message = `--${OPTIONS.commandConfig.flag} ${file}: the file cannot be read: ${(cause as Error).message}`
    throw new RowmillError('USAGE', message, { path: file }, { cause })
  }
}
