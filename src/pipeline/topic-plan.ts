import { RowmillError } from '../errors.ts'
import type { KafkaAdmin, TopicSettings } from '../kafka/index.ts'
import { counted } from '../support/counted.ts'
import { addPartitionsCommand } from './add-partitions.ts'
import { createCommand } from './create-topics.ts'
import { curable } from './curable-settings.ts'
import { defaultPartitions } from './default-partitions.ts'
import { replicationFaults } from './replication.ts'
import { topicsOf } from './topic-names.ts'
import { describeFindings, judgeSettings } from './topic-settings.ts'
import { newTopics } from './topics.ts'

const HOUR_MS = 3_600_000
/** A job with more rows travels in `bulk`. */
const SMALL_JOB_ROWS = 1000

/** A partition lies on one disk, and is copied as a whole when brokers change. More would take hours. */
const MOST_PARTITION_BYTES = 10e9

/** Enough partitions for the workers, and so many that none of them gets too large to move. */
export function plannedPartitions(
  workers: number,
  { rows, rowBytes }: Pick<PipelineLoad, 'rows' | 'rowBytes'>,
): number {
  return Math.max(defaultPartitions(workers), Math.ceil((rows * rowBytes) / MOST_PARTITION_BYTES))
}

/**
 * How many hours workers that classify so many rows a second need for all rows. Throws USAGE if rows would be deleted before
 * they are classified.
 */
export function plannedHours(
  { rows, hours }: Pick<PipelineLoad, 'rows' | 'hours'>,
  { workers, rowsPerSecond }: { workers: number; rowsPerSecond: number },
): number {
  const needed = rows / (workers * rowsPerSecond * 3600)
  if (needed <= hours) return needed
  const message =
    `--hours ${hours}: ${counted(workers, 'worker')} with ${rowsPerSecond} rows a second each need ${Math.ceil(needed)} hours for ` +
    `${rows} rows. Rows would be deleted before they are classified. Give --hours ${Math.ceil(2 * needed)}, or more --workers`
  throw new RowmillError('USAGE', message, { hours, needed })
}

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
    const hasItsOwn = topic === topics.jobs || topic === topics.reports
    const retention = hasItsOwn ? {} : { 'retention.ms': String(hours * HOUR_MS) }
    const diskBytes = isFull ? rows * rowBytes * replicationFactor : 0
    return { ...settings, config: { ...settings.config, ...retention }, diskBytes }
  })
}

/** What differs between a planned topic and the one that exists. */
export interface TopicFault {
  readonly topic: string
  /** The difference, with the command that mends it, or how to live with it. */
  readonly text: string
  /** Whether an administrator can mend it. False: the cluster refuses what is planned. */
  readonly curable: boolean
}

/** Compares the topics that exist with the plan. Empty: all are there, with enough partitions and replicas, and no doubtful settings. */
export async function checkTopics(
  admin: KafkaAdmin,
  pipeline: string,
  plan: readonly TopicSettings[],
): Promise<TopicFault[]> {
  const names = plan.map(({ topic }) => topic)
  const found = await admin.partitions(names)
  const faults: { topic: string; text: string }[] = []
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
  for (const { topic, text, cure } of await replicationFaults(admin, plan))
    faults.push({ topic, text: `topic ${topic}: ${text}. To change it: ${cure}` })
  const configs = await admin.topicConfigs([...found.keys()])
  const topics = topicsOf(pipeline)
  const { findings, lasting } = await curable(admin, topics, judgeSettings(topics, configs))
  for (const [topic, those] of Map.groupBy(findings, finding => finding.topic))
    faults.push({ topic, text: describeFindings(those, admin.brokersText)[0]! })
  faults.push(...shortRetentions(admin, plan, configs))
  return [
    ...faults.map(fault => ({ ...fault, curable: true })),
    ...lasting.map(({ text, cure }) => ({ topic: topics.jobs, text: `${text}: ${cure}`, curable: false })),
  ]
}

function shortRetentions(
  admin: KafkaAdmin,
  plan: readonly TopicSettings[],
  configs: ReadonlyMap<string, ReadonlyMap<string, string>>,
): { topic: string; text: string }[] {
  return plan.flatMap(({ topic, config }) => {
    const [wanted, found] = [Number(config['retention.ms']), Number(configs.get(topic)?.get('retention.ms') ?? -1)]
    if (found < 0 || Number.isNaN(wanted) || wanted < 0 || found >= wanted) return []
    const losesRows = false
    const what = `retention.ms=${found} keeps its messages for ${found / HOUR_MS} hours, and ${wanted / HOUR_MS} are planned`
    const finding = { topic, losesRows, text: what, cure: ['retention.ms', String(wanted)] as const }
    return [{ topic, text: describeFindings([finding], admin.brokersText)[0]! }]
  })
}
