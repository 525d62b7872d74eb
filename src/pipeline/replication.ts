import type { KafkaAdmin, PartitionReplicas, TopicSettings } from '../kafka/index.ts'
import { counted } from '../support/counted.ts'
import { quoteForShell } from '../support/shell.ts'
import { settingsCommand } from './topic-settings.ts'

const IN_SYNC = 'min.insync.replicas'
/** The cure of a minimum that fits the plan, and not the replicas that are there. To lower it would lower the safety. */
const ADD_REPLICAS = 'add the replicas, with the command for that'

/** What is wrong with the copies of a topic on the brokers, with the command that cures it. */
export interface ReplicationFault {
  readonly topic: string
  /** Whether the brokers refuse rows because of it. Otherwise rows may be lost, or refused, when a broker fails. */
  readonly stops: boolean
  readonly text: string
  readonly cure: string
}

/** What a cluster says of one topic. */
export interface TopicReplicas {
  /** Of the cluster. */
  readonly brokers: readonly number[]
  readonly partitions: readonly PartitionReplicas[]
  /** Null: this user may not ask. */
  readonly minInSync: number | null
}

/** Compares the replicas of topics with a plan. Topics that do not exist are left out. */
export async function replicationFaults(
  admin: KafkaAdmin,
  plan: readonly TopicSettings[],
): Promise<ReplicationFault[]> {
  const there = await admin.partitions(plan.map(({ topic }) => topic))
  const existing = plan.filter(({ topic }) => there.has(topic))
  const topics = existing.map(({ topic }) => topic)
  const [brokers, replicas, configs] = await Promise.all([
    admin.brokers(),
    admin.replicas(topics),
    admin.topicConfigs(topics),
  ])
  return existing.flatMap(planned => {
    const minInSync = Number(configs.get(planned.topic)?.get(IN_SYNC)) || null
    const partitions = replicas.get(planned.topic) ?? []
    return judgeReplication(planned, { brokers, partitions, minInSync }, admin.brokersText)
  })
}

/** The faults of one topic. `at` are the brokers as the user gave them. */
export function judgeReplication(planned: TopicSettings, found: TopicReplicas, at: string): ReplicationFault[] {
  const faults = [tooFew(planned, found, at), doubtfulMinimum(planned, found, at), notInSync(planned, found)]
  return faults.filter(fault => fault !== null)
}

function tooFew(
  { topic, replicationFactor }: TopicSettings,
  { brokers, partitions }: TopicReplicas,
  at: string,
): ReplicationFault | null {
  const few = partitions.filter(({ replicas }) => replicas.length < replicationFactor)
  if (few.length === 0) return null
  const text =
    `${few.length} of ${counted(partitions.length, 'partition')} have fewer replicas than the ${replicationFactor} planned. ` +
    'If a broker loses its disk, rows are lost'
  const cure = reassignCommand(
    few.map(partition => grown(partition, brokers, { topic, replicationFactor })),
    topic,
    at,
  )
  return { topic, stops: false, text, cure }
}

function doubtfulMinimum(
  { topic, replicationFactor, config }: TopicSettings,
  { partitions, minInSync }: TopicReplicas,
  at: string,
): ReplicationFault | null {
  if (minInSync === null) return null
  const fewest = Math.min(...partitions.map(({ replicas }) => replicas.length))
  const afterCure = Math.max(fewest, replicationFactor) // see tooFew
  const setTo = (value: number) => settingsCommand([{ topic, cure: [IN_SYNC, String(value)] }], at)
  const setting = `${IN_SYNC}=${minInSync}`
  if (minInSync > fewest) {
    const text = `${setting}, and a partition has ${counted(fewest, 'replica')}. The broker refuses all its rows`
    return { topic, stops: true, text, cure: minInSync < afterCure ? ADD_REPLICAS : setTo(Math.max(1, afterCure - 1)) }
  }
  const planned = Number(config[IN_SYNC])
  if (minInSync < planned) {
    const text = `${setting}, and ${planned} is planned. A row counts as written although only ${counted(minInSync, 'broker')} may have it`
    const first = fewest < replicationFactor ? 'add the replicas, then: ' : ''
    return { topic, stops: false, text, cure: `${first}${setTo(planned)}` }
  }
  if (minInSync < fewest || fewest === 1) return null
  const text = `${setting}, and a partition has no more replicas. While one of their brokers is down, nothing can be written`
  return { topic, stops: false, text, cure: minInSync < afterCure ? ADD_REPLICAS : setTo(fewest - 1) }
}

function notInSync({ topic }: TopicSettings, { partitions, minInSync }: TopicReplicas): ReplicationFault | null {
  const late = partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length)
  if (late.length === 0) return null
  const brokers = [...new Set(late.flatMap(({ replicas, inSync }) => replicas.filter(id => !inSync.includes(id))))]
  const stops = minInSync !== null && late.some(({ inSync }) => inSync.length < minInSync)
  const which = `${brokers.length === 1 ? 'broker' : 'brokers'} ${brokers.sort((a, b) => a - b).join(', ')}`
  const refused = stops ? `, which is fewer than ${IN_SYNC}=${minInSync} allows. The leaders refuse rows` : ''
  const text = `${late.length} of ${counted(partitions.length, 'partition')} are not in sync on ${which}${refused}`
  return { topic, stops, text, cure: `start ${which}, or read why in its log` }
}

interface Reassigned {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
}

/**
 * Keeps the replicas that are there. Each partition begins with another of the other brokers, so that all get their share.
 * Racks do not count.
 */
function grown(
  { partition, replicas }: PartitionReplicas,
  brokers: readonly number[],
  { topic, replicationFactor }: Pick<TopicSettings, 'topic' | 'replicationFactor'>,
): Reassigned {
  const others = brokers.filter(id => !replicas.includes(id))
  const turn = partition % others.length
  const more = [...others.slice(turn), ...others.slice(0, turn)]
  return { topic, partition, replicas: [...replicas, ...more].slice(0, replicationFactor) }
}

/** Kafka's own command that moves partitions. It reads them from a file. */
function reassignCommand(partitions: readonly Reassigned[], topic: string, at: string): string {
  const file = `${topic}.json`
  const content = quoteForShell(JSON.stringify({ version: 1, partitions }))
  // --additional: Kafka refuses a second move while one runs, and each topic has a command of its own.
  return `echo ${content} > ${file} && kafka-reassign-partitions.sh --bootstrap-server ${at} --reassignment-json-file ${file} --execute --additional`
}
