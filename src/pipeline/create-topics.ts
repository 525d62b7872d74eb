import { RowmillError } from '../errors.ts'
import { type KafkaAdmin, type TopicRefusal, type TopicSettings, TopicsRefused } from '../kafka/index.ts'
import type { Say } from '../support/say.ts'
import { quoteForShell } from '../support/shell.ts'

/** The cluster uses its own default. */
const DEFAULT_REPLICATION = -1

/**
 * Creates topics with what the cluster accepts. If it refuses a setting or the replication factor, this asks again without
 * it, and logs that once. Returns whether the cluster refused any. Throws TOPIC_UNUSABLE if it refuses a topic in every
 * form. Throws NOT_AUTHORIZED, with the commands that create the topics, if this user may not create them.
 */
export async function createTopics(
  admin: KafkaAdmin,
  wanted: readonly TopicSettings[],
  { pipeline, say }: { pipeline: string; say: Say },
): Promise<boolean> {
  const dropped = new Set<string>()
  for (let asked = wanted; asked.length > 0; ) {
    try {
      await admin.createTopics(asked)
      break
    } catch (error) {
      if (!(error instanceof TopicsRefused)) throw error
      const { refusals } = error
      if (refusals.some(({ type }) => type.endsWith('AUTHORIZATION_FAILED')))
        throw mayNotCreate(admin, wanted, { pipeline, cause: error })
      asked = asked.filter(({ topic }) => refusals.some(refusal => refusal.topic === topic))
      const without = await refusedPart(admin, asked[0]!, refusals)
      if (without === null) throw notCreated((await refusal(admin, bare(asked[0]!))) ?? error, wanted, asked)
      for (const name of without) dropped.add(name)
      asked = asked.map(settings => leaveOut(settings, without))
    }
  }
  if (dropped.size > 0)
    say(`the cluster refuses ${[...dropped].join(', ')} for the topics ${pipeline}.*, so they have its defaults`, {
      level: 'warn',
      pipeline,
    })
  return dropped.size > 0
}

/** What the cluster refuses of a topic: settings, or the replication factor. Null: something that the topic needs. */
async function refusedPart(
  admin: KafkaAdmin,
  { config, replicationFactor, ...rest }: TopicSettings,
  refusals: readonly TopicRefusal[],
): Promise<string[] | null> {
  const { type } = refusals.find(({ topic }) => topic === rest.topic)!
  const replication = replicationFactor === DEFAULT_REPLICATION ? null : ['replication.factor', 'min.insync.replicas']
  if (type === 'INVALID_REPLICATION_FACTOR') return replication
  if (type !== 'INVALID_CONFIG' && type !== 'POLICY_VIOLATION') return null
  const isRefused = (config: Record<string, string>) => refuses(admin, { ...rest, replicationFactor, config })
  if (await isRefused({})) return replication
  const refused: string[] = []
  for (const [name, value] of Object.entries(config)) if (await isRefused({ [name]: value })) refused.push(name)
  return refused.length > 0 ? refused : Object.keys(config) // each alone is accepted, but not all together
}

/** Whether the cluster would not create this topic. */
export async function refuses(admin: KafkaAdmin, settings: TopicSettings): Promise<boolean> {
  return (await refusal(admin, settings)) !== null
}

/** Why the cluster would not create this topic. Null: it would. */
async function refusal(admin: KafkaAdmin, settings: TopicSettings): Promise<TopicsRefused | null> {
  try {
    await admin.createTopics([settings], { validateOnly: true })
    return null
  } catch (error) {
    if (error instanceof TopicsRefused) return error
    throw error
  }
}

/** With the defaults of the cluster: what it refuses then, no setting of ours can cure. */
function bare(settings: TopicSettings): TopicSettings {
  return { ...settings, replicationFactor: DEFAULT_REPLICATION, config: {} }
}

function leaveOut(settings: TopicSettings, names: readonly string[]): TopicSettings {
  const config = Object.fromEntries(Object.entries(settings.config).filter(([name]) => !names.includes(name)))
  const isDefault = names.includes('replication.factor')
  return { ...settings, config, ...(isDefault ? { replicationFactor: DEFAULT_REPLICATION } : {}) }
}

/** A pipeline that is half there keeps the number of partitions that its topics have. */
function notCreated(
  cause: TopicsRefused,
  wanted: readonly TopicSettings[],
  refused: readonly TopicSettings[],
): RowmillError {
  const made = wanted.filter(settings => !refused.some(({ topic }) => topic === settings.topic))
  const names = made.map(({ topic }) => topic).join(', ')
  const again = made.length === 0 ? '' : `. Delete ${names} before you try again with other --partitions`
  const isPolicy = made.length === 0 && cause.refusals.some(({ type }) => type === 'POLICY_VIOLATION')
  const byHand = isPolicy
    ? '. Or create the topics as the cluster wants them: rowmill topics plan has what they need'
    : ''
  const rest = `${again}${byHand}`
  return new RowmillError('TOPIC_UNUSABLE', `${cause.message}${rest}`, {}, { cause })
}

function mayNotCreate(
  admin: KafkaAdmin,
  wanted: readonly TopicSettings[],
  { pipeline, cause }: { pipeline: string; cause: unknown },
): RowmillError {
  const commands = wanted.map(settings => createCommand(admin.brokersText, settings))
  const right = { operation: 'Create', resource: 'topic', name: `${pipeline}.`, prefixed: true } as const
  return admin.missing(right, cause, `. Or an administrator creates the topics:\n${commands.join('\n')}`)
}

/** Kafka's own command that creates a topic. */
export function createCommand(
  brokers: string,
  { topic, partitions, replicationFactor, config }: TopicSettings,
): string {
  const settings = Object.entries(config).map(([name, value]) => ` --config ${quoteForShell(`${name}=${value}`)}`)
  const numbers = `--partitions ${partitions} --replication-factor ${replicationFactor}`
  const at = quoteForShell(brokers)
  return `kafka-topics.sh --bootstrap-server ${at} --create --topic ${topic} ${numbers}${settings.join('')}`
}
