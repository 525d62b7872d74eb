import { RowmillError } from '../errors.ts'
import { type AllowedOperations, aclCommand, describeKafkaError, type Operation, type Right } from '../kafka/index.ts'
import { ROLES, type Role } from '../options.ts'
import { reportRights, rightsOf } from '../pipeline/roles.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { type CheckFinding, type ClusterCheck, failure, failureOf, ok, skipped, warning } from './check.ts'
import type { ClusterAccess } from './cluster-access.ts'

const LIMIT_MS = 20_000
const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION'
/** Where the coordinators of groups write. It exists once a group was used. */
const OFFSETS = '__consumer_offsets'
/** What a broker answers about a group that it does not coordinate. */
const NO_COORDINATOR = ['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE']

/** What this user may do with each topic and the group, as the broker tells it. Nothing is written. */
export const rightsCheck: ClusterCheck = {
  name: 'rights',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline, role }, signal) {
    const { topics, allowed } = await cluster.describe(Object.values(topicsOf(pipeline)))
    const existing = [...topics].filter(([, { error }]) => error !== UNKNOWN)
    const who = { cluster, role }
    const ofTopics = existing.flatMap(([name, { error, allowed }]) =>
      judge(who, usesOf(pipeline, name, role), { error, allowed }),
    )
    const needed = [...topics].filter(([name]) => name !== topicsOf(pipeline).reports)
    const isMissing = needed.some(([, { error }]) => error === UNKNOWN)
    const create = isMissing ? [mayCreate(cluster, pipeline, allowed)] : []
    return [...ofTopics, ...create, ...(await judgeGroup(who, pipeline, signal))]
  },
}

/** A right that some roles of `rowmill acls` need. */
interface Use {
  readonly right: Right
  readonly roles: readonly string[]
  /** Whether the command works without it. */
  readonly isOptional: boolean
}

/** The rights on one topic or group that a role needs, or any role. */
function usesOf(pipeline: string, name: string, role: Role | null): Use[] {
  const needed = ROLES.flatMap(role =>
    [...rightsOf(role, pipeline), ...reportRights(role, pipeline)].map(right => ({ role, right })),
  )
  const isOptional = name === topicsOf(pipeline).reports
  const ofRole = needed.filter(use => role === null || use.role === role)
  // Some role may Read or Write each of them, which includes Describe.
  const here = ofRole.filter(({ right }) => right.name === name && (role !== null || right.operation !== 'Describe'))
  return [...Map.groupBy(here, ({ right }) => right.operation).values()].map(those => ({
    right: those[0]!.right,
    roles: those.map(({ role }) => role),
    isOptional,
  }))
}

interface Told {
  /** Why the broker does not describe it. Null: it does. */
  readonly error: string | null
  readonly allowed: AllowedOperations
}

interface Who {
  readonly cluster: ClusterAccess
  readonly role: Role | null
}

/**
 * A missing right is a failure if the user named the role that needs it. Another role may do without, so then it is a warning.
 * So it is if the command works without it.
 */
function judge({ cluster, role }: Who, uses: readonly Use[], { error, allowed }: Told): CheckFinding[] {
  if (uses.length === 0) return [] // the role does not use it
  const { isOptional, right } = uses[0]!
  const { resource, name } = right
  if (error?.endsWith('AUTHORIZATION_FAILED')) {
    const wanted = role === null ? uses.slice(0, 1) : uses // of no role in particular: a first step
    const cure = wanted.map(({ right }) => grant(cluster, right)).join('\n')
    return [(isOptional ? warning : failure)(`${resource} ${name}: this user may not even Describe it`, cure)]
  }
  if (error) return [failure(`${resource} ${name}: the broker answers ${error}`, 'look at the log of the broker')]
  if (allowed === null) return [skipped(`${resource} ${name}: the broker does not tell rights`)]
  const missing = uses.filter(({ right }) => !allowed.has(right.operation))
  if (missing.length === 0) {
    const operations = uses.map(({ right }) => right.operation)
    return [ok(`${resource} ${name}: this user may ${operations.join(' and ')}`)]
  }
  const line = role === null || isOptional ? warning : failure
  return missing.map(({ right, roles }) => {
    const whose = roles.length === 1 ? `role ${roles[0]} needs` : `roles ${roles.join(', ')} need`
    return line(`${resource} ${name}: this user may not ${right.operation}, which the ${whose}`, grant(cluster, right))
  })
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

/** Every broker is asked: only the one that coordinates the group tells. Asking who that is could create a topic. */
async function judgeGroup(who: Who, pipeline: string, signal: AbortSignal): Promise<CheckFinding[]> {
  const { cluster, role } = who
  const group = workersGroup(pipeline)
  const uses = usesOf(pipeline, group, role)
  if (uses.length === 0) return [] // the role does not use it
  const { brokers, topics } = await cluster.describe([OFFSETS])
  const answers = await Promise.all(brokers.map(({ address }) => askAboutGroup(cluster, group, { address, signal })))
  const told = answers.filter(answer => 'allowed' in answer)
  const final = told.find(({ error }) => error === null) ?? told.find(({ error }) => !NO_COORDINATOR.includes(error!))
  if (final) return judge(who, uses, final)
  const unreached = answers.find(answer => 'status' in answer)
  if (unreached) return [unreached]
  if (topics.get(OFFSETS)?.error === null) return judge(who, uses, told[0]!)
  return [ok(`group ${group}: it has no coordinator yet, because no group was used on this cluster`)]
}

async function askAboutGroup(
  { kafka }: ClusterAccess,
  group: string,
  { address, signal }: { address: string; signal: AbortSignal },
): Promise<Told | CheckFinding> {
  try {
    const probe = await kafka.probe(address, signal)
    try {
      return { error: null, allowed: await probe.groupOperations(group) }
    } finally {
      await probe.close()
    }
  } catch (error) {
    return error instanceof RowmillError ? failureOf(error) : { error: describeKafkaError(error).type, allowed: null }
  }
}

function grant({ settings, brokersText }: ClusterAccess, right: Right): string {
  const sasl = settings.security?.sasl
  return aclCommand(brokersText, `User:${sasl && 'username' in sasl ? sasl.username : 'NAME'}`, right)
}
