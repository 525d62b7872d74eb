/** Resources of Strimzi in YAML. Their API `v1` is that of Strimzi 0.49 and later; 1.0 has no other. */
import { RowmillError } from '../errors.ts'
import type { Right, TopicSettings } from '../kafka/index.ts'

const API = 'kafka.strimzi.io/v1'
const CLUSTER = 'my-cluster # the name of your Kafka resource'
/** What Kubernetes takes as the name of a resource (RFC 1123). */
const RESOURCE_NAME = /^(?!.{254})[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/**
 * A KafkaUser with these rights. The reader fills in its login and its cluster. Throws USAGE if `user` cannot be the name of
 * a resource, because that is the name of the user too.
 */
export function strimziUser(user: string, rights: readonly Right[]): string {
  if (!RESOURCE_NAME.test(user)) {
    const message = `--principal ${JSON.stringify(`User:${user}`)}: a KafkaUser has a name of small letters, digits, - and dots`
    throw new RowmillError('USAGE', message, { principal: user })
  }
  const acls = [...Map.groupBy(rights, ({ resource, name }) => `${resource} ${name}`).values()].map(strimziAcl)
  return `${headOf('KafkaUser', user)}spec:
  authentication:
    type: scram-sha-512 # or tls, as your listener has it
  authorization:
    type: simple
    acls:
${acls.join('')}`
}

function headOf(kind: string, name: string): string {
  return `apiVersion: ${API}
kind: ${kind}
metadata:
  name: ${JSON.stringify(name)}
  labels:
    strimzi.io/cluster: ${CLUSTER}
`
}

function strimziAcl(rights: readonly Right[]): string {
  const { resource, name, prefixed } = rights[0]!
  return `      - resource:
          type: ${resource}
          name: ${JSON.stringify(name)}
          patternType: ${prefixed ? 'prefix' : 'literal'}
        operations: [${rights.map(({ operation }) => operation).join(', ')}]
        host: "*"
`
}

/** A KafkaTopic for each topic, as documents of one YAML stream. */
export function strimziTopics(topics: readonly TopicSettings[]): string {
  return topics.map(strimziTopic).join('---\n')
}

function strimziTopic({ topic, partitions, replicationFactor, config }: TopicSettings): string {
  const name = resourceName(topic)
  const settings = Object.entries(config).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}\n`)
  return `${headOf('KafkaTopic', name)}spec:
${name === topic ? '' : `  topicName: ${JSON.stringify(topic)}\n`}  partitions: ${partitions}
  replicas: ${replicationFactor}
  config:
${settings.join('')}`
}

/** The name of a topic without what Kubernetes does not take. */
function resourceName(topic: string): string {
  const labels = topic.toLowerCase().split('.')
  return labels
    .map(label => label.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, ''))
    .filter(Boolean)
    .join('.')
}
