/** The YAML that we print, against the fields of Strimzi's CRDs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { strimziTopics, strimziUser } from '../../src/cli/strimzi.ts'
import { ROLES } from '../../src/options.ts'
import { rightsOf, usefulRights } from '../../src/pipeline/roles.ts'
import { planTopics } from '../../src/pipeline/topic-plan.ts'
import { rowmill } from '../helpers/cli.ts'

/** A part of OpenAPI. Unlike there, an object without `properties` may have any. */
interface Schema {
  readonly type: 'object' | 'array' | 'string' | 'integer'
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: RegExp
}

const text = (...values: string[]): Schema => ({ type: 'string', ...(values.length > 0 ? { enum: values } : {}) })
const object = (properties: Record<string, Schema>, ...required: string[]): Schema => ({
  type: 'object',
  properties,
  required,
})

/** Names of resources of Kubernetes (RFC 1123, subdomain). */
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const metadata = object(
  {
    name: { type: 'string', pattern: new RegExp(`^${LABEL}(\\.${LABEL})*$`) },
    labels: object({ 'strimzi.io/cluster': text() }, 'strimzi.io/cluster'),
  },
  'name',
  'labels',
)
const resource = (kind: string, spec: Schema): Schema =>
  object(
    { apiVersion: text('kafka.strimzi.io/v1'), kind: text(kind), metadata, spec },
    ...['apiVersion', 'kind', 'metadata', 'spec'],
  )

/**
 * The fields that a specification may have, from packaging/install/cluster-operator/04?-Crd-kafka{user,topic}.yaml of
 * strimzi/strimzi-kafka-operator (read in 2026). Kubernetes refuses a wrong value, and drops a field that is not listed.
 */
const OPERATIONS =
  'Read Write Create Delete Alter Describe ClusterAction AlterConfigs DescribeConfigs IdempotentWrite All'
const KAFKA_USER = resource(
  'KafkaUser',
  object({
    userName: text(),
    authentication: object(
      { password: { type: 'object' }, type: text('tls', 'tls-external', 'scram-sha-512') },
      'type',
    ),
    authorization: object(
      {
        type: text('simple'),
        acls: {
          type: 'array',
          items: object(
            {
              type: text('allow', 'deny'),
              resource: object(
                {
                  type: text('topic', 'group', 'cluster', 'transactionalId'),
                  name: text(),
                  patternType: text('literal', 'prefix'),
                },
                'type',
              ),
              host: text(),
              operations: { type: 'array', items: text(...OPERATIONS.split(' ')) },
            },
            ...['resource', 'operations'],
          ),
        },
      },
      ...['acls', 'type'],
    ),
    quotas: { type: 'object' },
    template: { type: 'object' },
  }),
)
const KAFKA_TOPIC = resource(
  'KafkaTopic',
  object({
    partitions: { type: 'integer', minimum: 1 },
    replicas: { type: 'integer', minimum: 1, maximum: 32_767 },
    config: { type: 'object' },
    topicName: text(),
  }),
)

/** What is wrong with a value, with its place. */
function flaws(value: unknown, schema: Schema, at = ''): string[] {
  const found = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value
  if (found !== schema.type) return [`${at}: ${found} is no ${schema.type}`]
  if (schema.type === 'array')
    return (value as unknown[]).flatMap((item, i) => flaws(item, schema.items!, `${at}[${i}]`))
  if (schema.type !== 'object') {
    const { enum: values, minimum = -Infinity, maximum = Infinity, pattern = /./ } = schema
    const isRight =
      schema.type === 'integer' ? Number(value) >= minimum && Number(value) <= maximum : pattern.test(`${value}`)
    return isRight && (values?.includes(`${value}`) ?? true) ? [] : [`${at}: ${value}`]
  }
  const fields = value as Record<string, unknown>
  const { properties, required = [] } = schema
  return [
    ...required.filter(name => !(name in fields)).map(name => `${at}.${name} is missing`),
    ...Object.entries(fields).flatMap(([name, field]) => {
      if (!properties) return []
      return properties[name] ? flaws(field, properties[name], `${at}.${name}`) : [`${at}.${name} is unknown`]
    }),
  ]
}

const documents = (yaml: string) => parseAllDocuments(yaml).map(document => document.toJS())

test('the KafkaUser of each role has only fields and values that Strimzi knows', () => {
  for (const role of ROLES) {
    const [user] = documents(strimziUser(`rowmill-${role}`, [...rightsOf(role, 'p'), ...usefulRights('p')]))
    assert.deepEqual(flaws(user, KAFKA_USER), [], role)
  }
  const [broken] = documents(strimziUser('w', rightsOf('work', 'p')).replace('operations: [Read]', 'operation: Peek'))
  assert.deepEqual(flaws(broken, KAFKA_USER).length, 2)
})

test('a KafkaTopic for each planned topic has only fields and values that Strimzi knows', () => {
  const load = { partitions: 12, rows: 1e6, rowBytes: 200, hours: 48 }
  for (const pipeline of ['orders', 'My_Orders-.2']) {
    const plan = planTopics(pipeline, 3, load)
    const topics = documents(strimziTopics(plan))
    for (const topic of topics) assert.deepEqual(flaws(topic, KAFKA_TOPIC), [])
    const asPlanned = topics.map(({ metadata, spec }) => ({
      topic: spec.topicName ?? metadata.name,
      partitions: spec.partitions,
      replicationFactor: spec.replicas,
      config: spec.config,
    }))
    assert.deepEqual(
      asPlanned,
      plan.map(({ diskBytes, ...settings }) => settings),
    )
    assert.equal(new Set(topics.map(({ metadata }) => metadata.name)).size, plan.length)
  }
})

test('a principal that cannot be a KafkaUser is refused', async () => {
  const { code, stderr } = await rowmill(['acls', '--role', 'work', '-o', 'strimzi', '--principal', 'User:Bob'])
  assert.equal(code, 2)
  assert.match(stderr, /--principal "User:Bob": a KafkaUser has a name of small letters, digits, - and dots \[USAGE\]/)
})
