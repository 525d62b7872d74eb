import type { Right } from '../kafka/index.ts'

/** A KafkaUser of Strimzi with these rights, in YAML. Its login and its cluster are for the reader to fill in. */
export function strimziUser(name: string, rights: readonly Right[]): string {
  const acls = [...Map.groupBy(rights, ({ resource, name }) => `${resource} ${name}`).values()].map(strimziAcl)
  return `apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaUser
metadata:
  name: ${JSON.stringify(name)}
  labels:
    strimzi.io/cluster: my-cluster # the name of your Kafka resource
spec:
  authentication:
    type: scram-sha-512 # or tls, as your listener has it
  authorization:
    type: simple
    acls:
${acls.join('')}`
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
