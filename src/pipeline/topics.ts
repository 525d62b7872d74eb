import { RowmillError } from '../errors.ts'
import type { Kafka, KafkaAdmin, TopicSettings } from '../kafka/index.ts'
import type { Role } from '../options.ts'
import type { Say } from '../support/say.ts'
import { addPartitions, addPartitionsCommand } from './add-partitions.ts'
import { createTopics } from './create-topics.ts'
import { curable } from './curable-settings.ts'
import { defaultPartitions } from './default-partitions.ts'
import { operationOn } from './roles.ts'
import { type PipelineTopics, topicsOf } from './topic-names.ts'
import {
  describeFindings,
  describeRowLimit,
  judgeSettings,
  limitsRows,
  MAX_MESSAGE_BYTES,
  newTopicConfig,
  OVERHEAD_BYTES,
} from './topic-settings.ts'
import { untilShown } from './until-shown.ts'

export interface EnsureOptions {
  /** The partitions of new topics, if the caller asks for no number. Default: 8. */
  readonly ifNew?: number | undefined
  /** Whether the pipeline has the topic `bulk`, as every shared pipeline has. Default: true. */
  readonly bulk?: boolean
  /**
   * Whether the command writes rows. Then `results` and `bulk` get as many partitions as `rows`, and settings that
   * would lose rows are refused. A command that only reads results needs neither. Default: true.
   */
  readonly writes?: boolean
  /** The role of the user. Default: one that publishes, works and collects. If a topic is hidden, it tells the missing right. */
  readonly role?: Role
  /** Told about doubtful settings. Default: they are not logged. */
  readonly say?: Say
}

/**
 * Creates the topics of a pipeline, or verifies those that exist. Returns the number of partitions to use: `partitions`
 * if it is given, otherwise as many as `rows` has, which is `ifNew` for new topics. A pipeline from before the topic
 * `bulk` gets that topic. So does one from before the topic `reports`, if the cluster lets this user create it. Throws
 * TOPIC_UNUSABLE and NOT_AUTHORIZED, with the cure.
 */
export async function ensureTopics(
  admin: KafkaAdmin,
  pipeline: string,
  partitions: number | null,
  { ifNew = defaultPartitions(1), bulk = true, writes = true, role, say = () => {} }: EnsureOptions = {},
): Promise<number> {
  const topics = topicsOf(pipeline)
  const all = Object.values(topics).filter(topic => topic !== topics.reports && (bulk || topic !== topics.bulk))
  const before = await admin.partitions(all, topic => (role ? operationOn(topic, role, pipeline) : 'Describe'))
  let isAsWanted = before.size === 0
  if (before.size < all.length) {
    const brokers = (await admin.brokers()).length
    const wanted = before.get(topics.rows) ?? before.get(topics.results) ?? partitions ?? ifNew
    const missing = newTopics(topics, wanted, brokers).filter(({ topic }) => all.includes(topic) && !before.has(topic))
    if (await createTopics(admin, missing, { pipeline, say })) isAsWanted = false
  }
  const found = await untilKnown(admin, all)
  verify(admin, found, { topics, all })
  // After the others, because a quota may have room for these alone. Whoever then cannot write reports says so.
  const reports = bulk ? createReportsTopic(admin, pipeline).catch(() => {}) : null
  const publishes = role === undefined || role === 'publish'
  if (!isAsWanted) await verifySettings(admin, { topics, all, writes, publishes, say })
  const rows = found.get(topics.rows)!
  if (partitions !== null && partitions > rows) throw tooManyAsked(admin, topics.rows, { rows, asked: partitions })
  const follow = [topics.results, topics.bulk].filter(topic => writes && (found.get(topic) ?? rows) < rows)
  for (const topic of follow) await addPartitions(admin, topic, rows)
  await reports
  return partitions ?? rows
}

/** Creates the topic `reports` of a pipeline if it is missing. Throws what the broker says against that. */
export async function createReportsTopic(admin: KafkaAdmin, pipeline: string): Promise<void> {
  const topics = topicsOf(pipeline)
  if ((await admin.partitions([topics.reports])).has(topics.reports)) return
  const brokers = (await admin.brokers()).length
  const missing = newTopics(topics, 1, brokers).filter(({ topic }) => topic === topics.reports)
  await createTopics(admin, missing, { pipeline, say: () => {} }) // with the defaults of the cluster it is only larger
}

/**
 * How many bytes the value of a message may have in each of these topics, as far as this user may know. A topic that others
 * made, or an admin changed, may take less than ours do, and so may the properties of the client.
 */
export async function longestMessage(kafka: Kafka, topics: readonly string[]): Promise<number> {
  const { maxRequestBytes = MAX_MESSAGE_BYTES } = kafka.settings.limits ?? {}
  const admin = await kafka.admin()
  try {
    const settings = [...(await admin.topicConfigs(topics)).values()]
    const limits = settings.map(found => Number(found.get('max.message.bytes') ?? MAX_MESSAGE_BYTES))
    return Math.min(MAX_MESSAGE_BYTES, maxRequestBytes, ...limits) - OVERHEAD_BYTES
  } finally {
    await admin.close()
  }
}

/**
 * How many bytes a row may have in a topic of rows, as far as we know before it is sent. The topic limits packed messages, so
 * with a codec it may take longer rows than it says.
 */
export async function longestRow(kafka: Kafka, topic: string): Promise<number> {
  const { compression = 'none' } = kafka.settings
  return await longestMessage(kafka, compression === 'none' ? [topic] : [])
}

/** The number of partitions of `rows`. Creates no topic: throws TOPIC_UNUSABLE if one is missing, and NOT_AUTHORIZED. */
export async function findTopics(admin: KafkaAdmin, pipeline: string, role: Role): Promise<number> {
  const { jobs, rows, results } = topicsOf(pipeline)
  const found = await admin.partitions([jobs, rows, results], topic => operationOn(topic, role, pipeline))
  const missing = [jobs, rows, results].find(topic => !found.has(topic))
  if (missing === undefined) return found.get(rows)!
  const message =
    `topic ${missing} does not exist: is --pipeline ${pipeline} right, and the broker? rowmill run removes the topics ` +
    'of its run at the end, unless it gets a --pipeline'
  throw new RowmillError('TOPIC_UNUSABLE', message, { topic: missing })
}

/** Those of the topics that the broker knows, after it had time to learn of new ones. */
async function untilKnown(admin: KafkaAdmin, all: readonly string[]): Promise<Map<string, number>> {
  let found = new Map<string, number>()
  await untilShown(async () => {
    found = await admin.partitions(all)
    return found.size === all.length
  })
  return found
}

/** How the topics of a pipeline are created, on a cluster of so many brokers. */
export function newTopics(topics: PipelineTopics, partitions: number, brokers: number): TopicSettings[] {
  const replicationFactor = Math.min(3, brokers)
  const insync = { 'min.insync.replicas': String(Math.max(1, replicationFactor - 1)) }
  return Object.values(topics).map(topic => {
    const isSingle = topic === topics.jobs || topic === topics.rejects || topic === topics.reports
    const count = isSingle ? 1 : partitions
    return { topic, partitions: count, replicationFactor, config: { ...newTopicConfig(topics, topic), ...insync } }
  })
}

interface SettingsUse {
  readonly topics: PipelineTopics
  readonly all: readonly string[]
  readonly writes: boolean
  readonly publishes: boolean
  readonly say: Say
}

/**
 * Refuses settings that would lose rows, and logs doubtful ones. A limit of the length of rows is logged only to a user who
 * publishes rows, in one line for all topics: many services have one. Throws TOPIC_UNUSABLE.
 */
async function verifySettings(admin: KafkaAdmin, { topics, all, writes, publishes, say }: SettingsUse): Promise<void> {
  const found = await admin.topicConfigs(all)
  const judged = judgeSettings(topics, found).filter(finding => !limitsRows(finding)) // described below
  const { findings, lasting } = await curable(admin, topics, judged)
  const refused = findings.filter(({ losesRows }) => losesRows && writes)
  if (refused.length > 0) {
    const message = describeFindings(refused, admin.brokersText).join('\n')
    throw new RowmillError('TOPIC_UNUSABLE', message, { topic: refused[0]!.topic })
  }
  for (const line of describeFindings(findings, admin.brokersText)) say(line, { level: 'warn' })
  for (const { text, cure } of lasting) say(`${text}: ${cure}`, { level: 'warn' })
  const limit = describeRowLimit(topics, found)
  if (publishes && limit !== null) say(limit, { level: 'warn' })
}

function verify(
  admin: KafkaAdmin,
  found: ReadonlyMap<string, number>,
  { topics, all }: { topics: PipelineTopics; all: readonly string[] },
): void {
  const refuse = (topic: string, message: string) =>
    new RowmillError('TOPIC_UNUSABLE', `topic ${topic}: ${message}`, { topic })
  for (const topic of all) {
    if (!found.has(topic))
      throw refuse(
        topic,
        'it was not created. May this user create topics? May the broker open more files (ulimit -n)?',
      )
  }
  if (found.get(topics.jobs) === 1) return
  throw jobsGrown(admin, topics.jobs, found.get(topics.jobs)!)
}

/** Nothing in the pipeline can be resumed after that, also not with the same command. */
function jobsGrown(admin: KafkaAdmin, topic: string, partitions: number): RowmillError {
  const message =
    `topic ${topic}: it has ${partitions} partitions and must have 1, and Kafka takes no partitions away. ` +
    'Use another --pipeline. To keep this one, end all its commands and delete the topic: ' +
    `kafka-topics.sh --bootstrap-server ${admin.brokersText} --delete --topic ${topic}. The next command makes it again. ` +
    'That forgets every job of the pipeline: publish what is not complete again, with new job ids'
  return new RowmillError('TOPIC_UNUSABLE', message, { topic, partitions, resumable: false })
}

function tooManyAsked(
  admin: KafkaAdmin,
  topic: string,
  { rows, asked }: { rows: number; asked: number },
): RowmillError {
  const command = addPartitionsCommand(admin, topic, asked)
  const message = `topic ${topic}: it has ${rows} partitions, --partitions asks for ${asked}: leave the option out, or add partitions with: ${command}`
  return new RowmillError('TOPIC_UNUSABLE', message, { topic, rows, asked })
}
