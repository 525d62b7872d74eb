import type { KafkaAdmin, TopicSettings } from '../kafka/index.ts'
import { addPartitionsCommand } from './add-partitions.ts'
import { createCommand } from './create-topics.ts'
import { curable } from './curable-settings.ts'
import { topicsOf } from './topic-names.ts'
import { describeFindings, judgeSettings } from './topic-settings.ts'
import { newTopics } from './topics.ts'

const HOUR_MS = 3_600_000
/** A job with more rows travels in `bulk`. */
const SMALL_JOB_ROWS = 1000

/** What the topics of a pipeline are for. */
export interface PipelineLoad {
  readonly partitions: number
  /** Rows that are there at the same time, in all jobs of the time of retention. */
  readonly rows: number
  readonly rowBytes: number
  /** How long rows and results are kept. A job must be collected within this time. */
  readonly hours: number
}

/** A topic as it should be, with the disk that it needs on all brokers together. */
export interface PlannedTopic extends TopicSettings {
  readonly diskBytes: number
}

/** How the topics of a pipeline should be on a cluster of so many brokers. Results are kept as long as their rows. */
export function planTopics(
  pipeline: string,
  brokers: number,
  { partitions, rows, rowBytes, hours }: PipelineLoad,
): PlannedTopic[] {
  const topics = topicsOf(pipeline)
  const ofRows = rows > SMALL_JOB_ROWS ? topics.bulk : topics.rows
  return newTopics(topics, partitions, brokers).map(settings => {
    const { topic, replicationFactor } = settings
    const isFull = topic === ofRows || topic === topics.results
    const retention = topic === topics.jobs ? {} : { 'retention.ms': String(hours * HOUR_MS) }
    const diskBytes = isFull ? rows * rowBytes * replicationFactor : 0
    return { ...settings, config: { ...settings.config, ...retention }, diskBytes }
  })
}

/** What differs between a planned topic and the one that exists, with the command that mends it. */
export interface TopicFault {
  readonly topic: string
  readonly text: string
}

/** Compares the topics that exist with the plan. Empty: all are there, with enough partitions and without doubtful settings. */
export async function checkTopics(
  admin: KafkaAdmin,
  pipeline: string,
  plan: readonly TopicSettings[],
): Promise<TopicFault[]> {
  const names = plan.map(({ topic }) => topic)
  const found = await admin.partitions(names)
  const faults: TopicFault[] = []
  for (const settings of plan) {
    const { topic, partitions } = settings
    const there = found.get(topic)
    if (there === undefined)
      faults.push({
        topic,
        text: `topic ${topic} does not exist. To create it: ${createCommand(admin.brokersText, settings)}`,
      })
    else if (there < partitions) {
      const command = addPartitionsCommand(admin, topic, partitions)
      faults.push({
        topic,
        text: `topic ${topic} has ${there} partitions, and ${partitions} are planned. To add them: ${command}`,
      })
    }
  }
  const configs = await admin.topicConfigs([...found.keys()])
  const topics = topicsOf(pipeline)
  const { findings } = await curable(admin, topics, judgeSettings(topics, configs))
  for (const [topic, those] of Map.groupBy(findings, finding => finding.topic))
    faults.push({ topic, text: describeFindings(those, admin.brokersText)[0]! })
  return [...faults, ...shortRetentions(admin, plan, configs)]
}

function shortRetentions(
  admin: KafkaAdmin,
  plan: readonly TopicSettings[],
  configs: ReadonlyMap<string, ReadonlyMap<string, string>>,
): TopicFault[] {
  return plan.flatMap(({ topic, config }) => {
    const [wanted, found] = [Number(config['retention.ms']), Number(configs.get(topic)?.get('retention.ms') ?? -1)]
    if (found < 0 || Number.isNaN(wanted) || wanted < 0 || found >= wanted) return []
    const losesRows = false
    const what = `retention.ms=${found} keeps its messages for ${found / HOUR_MS} hours, and ${wanted / HOUR_MS} are planned`
    const finding = { topic, losesRows, text: what, cure: ['retention.ms', String(wanted)] as const }
    return [{ topic, text: describeFindings([finding], admin.brokersText)[0]! }]
  })
}
