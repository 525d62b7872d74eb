import { type AllowedOperations, aclCommand, describeKafkaError, type Operation, type Right } from '../kafka/index.ts'
import { ROLES } from '../options.ts'
import { rightsOf } from '../pipeline/roles.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { type CheckFinding, type ClusterCheck, failure, ok, skipped, warning } from './check.ts'
import type { ClusterAccess } from './cluster-access.ts'

const LIMIT_MS = 20_000
const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION'

/** What this user may do with each topic and the group, as the broker tells it. Nothing is written. */
export const rightsCheck: ClusterCheck = {
  name: 'rights',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline }, signal) {
    const { topics, allowed } = await cluster.describe(Object.values(topicsOf(pipeline)))
    const existing = [...topics].filter(([, { error }]) => error !== UNKNOWN)
    const ofTopics = existing.flatMap(([name, { error, allowed }]) =>
      judge(cluster, usesOf(pipeline, name), { error, allowed }),
    )
    const create = existing.length < topics.size ? [mayCreate(cluster, pipeline, allowed)] : []
    return [...ofTopics, ...create, ...(await judgeGroup(cluster, pipeline, signal))]
  },
}

/** A right that some roles of `rowmill acls` need. */
interface Use {
  readonly right: Right
  readonly roles: readonly string[]
}

/** The rights on one topic or group that commands need. Read and Write include Describe. */
function usesOf(pipeline: string, name: string): Use[] {
  const needed = ROLES.flatMap(role => rightsOf(role, pipeline).map(right => ({ role, right })))
  const here = needed.filter(({ right }) => right.name === name && right.operation !== 'Describe')
  return [...Map.groupBy(here, ({ right }) => right.operation).values()].map(those => ({
    right: those[0]!.right,
    roles: those.map(({ role }) => role),
  }))
}

interface Told {
  /** Why the broker does not describe it. Null: it does. */
  readonly error: string | null
  readonly allowed: AllowedOperations
}

/** A role may do without some rights, so a missing one is a warning. */
function judge(cluster: ClusterAccess, uses: readonly Use[], { error, allowed }: Told): CheckFinding[] {
  const { resource, name } = uses[0]!.right
  if (error?.endsWith('AUTHORIZATION_FAILED'))
    return [failure(`${resource} ${name}: this user may not even Describe it`, grant(cluster, uses[0]!.right))]
  if (error) return [failure(`${resource} ${name}: the broker answers ${error}`, 'look at the log of the broker')]
  if (allowed === null) return [skipped(`${resource} ${name}: the broker does not tell rights`)]
  const missing = uses.filter(({ right }) => !allowed.has(right.operation))
  if (missing.length === 0) {
    const operations = uses.map(({ right }) => right.operation)
    return [ok(`${resource} ${name}: this user may ${operations.join(' and ')}`)]
  }
  return missing.map(({ right, roles }) =>
    warning(
      `${resource} ${name}: this user may not ${right.operation}, which the roles ${roles.join(', ')} need`,
      grant(cluster, right),
    ),
  )
}

/** The right to create on the cluster is for all topics. One for names with a prefix does not show here. */
function mayCreate(cluster: ClusterAccess, pipeline: string, allowed: AllowedOperations): CheckFinding {
  const operation: Operation = 'Create'
  if (allowed?.has(operation))
    return ok(`this user may ${operation} the topics of pipeline ${pipeline} that are missing`)
  const right: Right = { operation, resource: 'topic', name: `${pipeline}.`, prefixed: true }
  return warning(
    `topics of pipeline ${pipeline} are missing, and this user may not ${operation} topics of every name`,
    `if no other ACL lets it create these: ${grant(cluster, right)}`,
  )
}

async function judgeGroup(cluster: ClusterAccess, pipeline: string, signal: AbortSignal): Promise<CheckFinding[]> {
  const group = workersGroup(pipeline)
  const uses = usesOf(pipeline, group)
  try {
    const coordinator = await (await cluster.probe()).coordinator(group)
    const probe = await cluster.kafka.probe(coordinator, signal)
    try {
      return judge(cluster, uses, { error: null, allowed: await probe.groupOperations(group) })
    } finally {
      await probe.close()
    }
  } catch (error) {
    return judge(cluster, uses, { error: describeKafkaError(error).type, allowed: null })
  }
}

function grant({ settings, brokersText }: ClusterAccess, right: Right): string {
  const sasl = settings.security?.sasl
  return aclCommand(brokersText, `User:${sasl && 'username' in sasl ? sasl.username : 'NAME'}`, right)
}
