import type { Reader } from '../kafka/index.ts'
import { COMPRESSIONS } from '../options.ts'
import { addPartitionsCommand } from '../pipeline/add-partitions.ts'
import { curable } from '../pipeline/curable-settings.ts'
import { replicationFaults } from '../pipeline/replication.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { type Finding, judgeSettings, settingsCommand } from '../pipeline/topic-settings.ts'
import { newTopics } from '../pipeline/topics.ts'
import { counted } from '../support/counted.ts'
import { type CheckFinding, type ClusterCheck, failure, ok, skipped, warning } from './check.ts'
import type { ClusterAccess } from './cluster-access.ts'

const LIMIT_MS = 20_000
const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION'

/** Whether the topics are there, have leaders, and partitions for all workers. */
const topics: ClusterCheck = {
  name: 'topics',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline, workers }) {
    const names = topicsOf(pipeline)
    const { topics } = await cluster.describe(Object.values(names))
    const found = [...topics].filter(([, { error }]) => error !== UNKNOWN)
    if (found.length === 0) return ok(`pipeline ${pipeline} has no topics yet; the first command creates them`)
    return found.map(([topic, { error, partitions, leaderless, offline }]): CheckFinding => {
      if (error) return failure(`${topic}: the broker refuses to describe it (${error})`, 'look at the line "rights"')
      if (leaderless > 0)
        return failure(
          `${topic}: ${leaderless} of ${partitions} partitions have no leader`,
          `start the brokers that keep them: ${offline.join(', ')}`,
        )
      if (topic === names.jobs && partitions !== 1)
        return failure(
          `${topic} has ${partitions} partitions and must have 1`,
          'use another --pipeline. Or delete the topic, and with it what is known of every job: ' +
            `kafka-topics.sh --bootstrap-server ${cluster.brokersText} --delete --topic ${topic}`,
        )
      const carriesRows = topic === names.rows || topic === names.bulk
      if (carriesRows && partitions < workers)
        return warning(
          `${topic} has ${partitions} partitions, so ${workers - partitions} of ${workers} workers get no rows`,
          `start fewer workers, or add partitions: ${addPartitionsCommand(cluster, topic, workers)}`,
        )
      return ok(`${topic} has ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`)
    })
  },
}

/** Whether each message is on enough brokers, and whether these are in sync. */
const replication: ClusterCheck = {
  name: 'replication',
  needs: ['topics', 'listeners'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline }) {
    const existing = (await existingTopics(cluster, pipeline)).map(({ topic }) => topic)
    if (existing.length === 0) return skipped('there are no topics yet')
    const admin = await cluster.admin()
    const brokers = (await admin.brokers()).length
    const plan = newTopics(topicsOf(pipeline), 1, brokers).filter(({ topic }) => existing.includes(topic))
    const faults = await replicationFaults(admin, plan)
    if (faults.length === 0)
      return ok(`each message is on ${counted(plan[0]!.replicationFactor, 'broker')}, and all of them are in sync`)
    return faults.map(({ topic, stops, text, cure }) => (stops ? failure : warning)(`${topic}: ${text}`, cure))
  },
}

/** Whether settings of the topics lose rows. */
const settings: ClusterCheck = {
  name: 'settings',
  needs: ['topics', 'listeners'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline }) {
    const existing = (await existingTopics(cluster, pipeline)).map(({ topic }) => topic)
    if (existing.length === 0) return skipped('there are no topics yet')
    const [admin, names] = [await cluster.admin(), topicsOf(pipeline)]
    const found = await admin.topicConfigs(existing)
    if (found.size === 0) return skipped('this user may not read the settings of the topics (DescribeConfigs)')
    const { findings, lasting } = await curable(admin, names, judgeSettings(names, found))
    if (findings.length + lasting.length === 0) return ok('the settings of all topics keep every row')
    return [...byText(findings, cluster.brokersText), ...lasting.map(({ text, cure }) => warning(text, cure))]
  },
}

/** One line for the topics of which the same is wrong: many services limit all of them alike. */
function byText(findings: readonly Finding[], brokers: string): CheckFinding[] {
  const ofTopics = [...Map.groupBy(findings, ({ topic }) => topic)].map(([topic, those]) => ({
    topic,
    text: those.map(({ text }) => text).join('; '),
    losesRows: those.some(({ losesRows }) => losesRows),
    cure: settingsCommand(those, brokers),
  }))
  return [...Map.groupBy(ofTopics, ({ text }) => text)].map(([text, those]) => {
    const line = those.some(({ losesRows }) => losesRows) ? failure : warning
    return line(`${those.map(({ topic }) => topic).join(', ')}: ${text}`, those.map(({ cure }) => cure).join('\n'))
  })
}

/** Which codecs the newest messages have, and whether this machine can read them. */
const codecsInUse: ClusterCheck = {
  name: 'codecs-in-use',
  needs: ['topics', 'listeners'],
  limitMs: LIMIT_MS,
  async run({ cluster, pipeline, machine }, signal) {
    const readable = (await existingTopics(cluster, pipeline)).filter(({ allowed }) => allowed?.has('Read') ?? true)
    if (readable.length === 0) return skipped('there is no topic that this user may read')
    const topics = readable.map(({ topic }) => topic)
    const reader = await cluster.kafka.reader(topics)
    try {
      signal.throwIfAborted()
      const seen = [...(await newestCodecs(reader, topics))].sort().map(number => COMPRESSIONS[number])
      if (seen.length === 0) return ok('the topics hold no messages yet')
      const missing = seen.filter(codec => codec !== undefined && !canRead(() => machine.checkCodec(codec)))
      if (missing.length === 0) return ok(`the newest messages have ${seen.join(', ')}`)
      return failure(
        `the newest messages have ${missing.join(', ')}, which this machine cannot read`,
        'install rowmill for this platform again, or give the producers another compression.type',
      )
    } finally {
      await reader.close()
    }
  },
}

async function newestCodecs(reader: Reader, topics: readonly string[]): Promise<Set<number>> {
  const all = topics.flatMap(topic =>
    Array.from({ length: reader.partitions(topic) }, (_, partition) => ({ topic, partition })),
  )
  const ends = await reader.offsets(all, 'end')
  const newest = ends.filter(({ offset }) => offset > 0).map(at => ({ ...at, offset: at.offset - 1 }))
  const seen = new Set<number>()
  for (const [node, here] of await reader.leaders(newest, false))
    for (const codec of await reader.codecs(node, here)) seen.add(codec)
  return seen
}

function canRead(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

async function existingTopics(cluster: ClusterAccess, pipeline: string) {
  const { topics } = await cluster.describe(Object.values(topicsOf(pipeline)))
  const existing = [...topics].filter(([, { error }]) => error === null)
  return existing.map(([topic, { allowed }]) => ({ topic, allowed }))
}

export const TOPIC_CHECKS: readonly ClusterCheck[] = [topics, replication, settings, codecsInUse]
