import { describeOption } from '../../src/cli/command.ts'
import { configKeys, KAFKA_SECTION } from '../../src/cli/config-file.ts'
import { KNOWN_NAMES } from '../../src/client-config/known-names.ts'
import type { OptionSpec } from '../../src/options.ts'

/** schema/rowmill.schema.json, with which editors complete and check a file of --config. */
export function configSchema(): string {
  const options = [...configKeys()].map(([key, spec]) => [key, valueSchema(spec)])
  const property = { $ref: '#/definitions/property' }
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Options of rowmill',
    description: 'The file of rowmill --config. Each key is an option of the command line without its dashes.',
    definitions: { property: { type: ['string', 'number', 'boolean'] } },
    type: ['object', 'null'], // an empty file, or one of comments alone, is null
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(options),
      [KAFKA_SECTION]: {
        description: 'The properties of a Kafka client, as Java clients or librdkafka name them',
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries([...KNOWN_NAMES].sort().map(name => [name, property])),
      },
    },
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

function valueSchema(spec: OptionSpec<unknown>): object {
  const { type } = spec.schema
  const hasItems = [type].flat().includes('array')
  return { description: describeOption(spec), ...spec.schema, ...(hasItems ? { items: { type: 'string' } } : {}) }
}
