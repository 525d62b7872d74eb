import { clusterSettings } from '../../client-config/kafka-options.ts'
import { checkName } from '../../core/names.ts'
import { EXIT_CODES, RowmillError } from '../../errors.ts'
import { Kafka, type KafkaAdmin } from '../../kafka/index.ts'
import type { OptionValues } from '../../options.ts'
import { createTopics } from '../../pipeline/create-topics.ts'
import {
  checkTopics,
  type PlannedTopic,
  plannedHours,
  plannedPartitions,
  planTopics,
  type TopicFault,
} from '../../pipeline/topic-plan.ts'
import { untilShown } from '../../pipeline/until-shown.ts'
import { unlessAborted } from '../../support/abort.ts'
import { counted } from '../../support/counted.ts'
import { type CommandSpec, defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { KAFKA_OPTIONS, readKafkaOptions } from '../kafka-options.ts'
import { type Session, withinLimits } from '../limits.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { print } from '../standard-output.ts'
import { strimziTopics } from '../strimzi.ts'

const LOAD = ['sharedPipeline', 'workers', 'partitions', 'planRows', 'rowBytes', 'rowsPerSecond', 'hours'] as const
const REST = [...KAFKA_OPTIONS, 'brokerTimeout', 'timeout', ...LOG_OPTIONS] as const
const DOCS = { workers: 'how many workers you plan to run' }
const OPTIONS = [...LOAD, 'output', ...REST] as const
type TopicsOptions = OptionValues<(typeof LOAD)[number] | (typeof REST)[number]>

const PLANNED = {
  line: 'each topic',
  fields: {
    topic: 'its name',
    partitions: 'how many partitions it needs',
    replicationFactor: 'on how many brokers each message is',
    minInsyncReplicas: 'how many of these must have a message before it counts',
    retentionHours: 'how long a message is kept; null: for ever',
    diskBytes: 'the disk that it needs on all brokers together, without compression',
  },
}
const FAULT = {
  line: 'each fault',
  fields: {
    topic: 'the topic',
    text: 'what is wrong, and the command that mends it',
    curable: 'whether an administrator can mend it; false: the cluster refuses what is planned, and the exit code is 0',
  },
}

const planCommand = defineCommand({
  name: 'topics plan',
  doc: 'print the topics that a pipeline needs for its workers and its rows',
  operands: [],
  example: 'rowmill topics plan --workers 16 --rows 50000000 --row-bytes 400 --hours 72 --brokers 127.0.0.1:9092',
  options: [...LOAD, 'resourceOutput', ...REST],
  docs: DOCS,
  json: PLANNED,
  act: (_, options) =>
    withAdmin(options, async (_, plan) => {
      const lines = plan.map(plannedLine)
      if (options.resourceOutput === 'strimzi') print(strimziTopics(plan))
      else if (options.resourceOutput === 'json') printJson(PLANNED, lines)
      else print(describePlan(lines))
      return 0
    }),
})

const applyCommand = defineCommand({
  name: 'topics apply',
  doc: 'create the missing topics of a pipeline, as topics plan prints them',
  operands: [],
  example: 'rowmill topics apply --workers 16 --hours 72 --brokers 127.0.0.1:9092',
  options: OPTIONS,
  docs: DOCS,
  json: PLANNED,
  act: (_, options) =>
    withAdmin(options, async (admin, plan, say) => {
      const there = await admin.partitions(plan.map(({ topic }) => topic))
      const missing = plan.filter(({ topic }) => !there.has(topic))
      await createTopics(admin, missing, { pipeline: options.sharedPipeline, say })
      const names = plan.map(({ topic }) => topic)
      await untilShown(async () => (await admin.partitions(names)).size === names.length) // for the next command
      if (options.output === 'json') printJson(PLANNED, missing.map(plannedLine))
      else for (const { topic } of missing) print(`created ${topic}\n`)
      return 0
    }),
})

const checkCommand = defineCommand({
  name: 'topics check',
  doc: 'compare the topics of a pipeline with topics plan; if they differ, print the commands that mend them and exit with 3',
  operands: [],
  example: 'rowmill topics check --workers 16 --hours 72 --brokers 127.0.0.1:9092',
  options: OPTIONS,
  docs: DOCS,
  json: FAULT,
  act: (_, options) =>
    withAdmin(options, async (admin, plan) => {
      const faults = await checkTopics(admin, options.sharedPipeline, plan)
      if (options.output === 'json') printJson(FAULT, faults)
      else print(faults.map(({ text }: TopicFault) => `${text}\n`).join(''))
      return faults.some(({ curable }) => curable) ? EXIT_CODES.TOPIC_UNUSABLE : 0
    }),
})

export const topicsCommands: readonly CommandSpec[] = [planCommand, applyCommand, checkCommand]

function withAdmin(options: TopicsOptions, act: ActOnTopics): Promise<number> {
  return withinLimits(options, 'before it was done', session =>
    unlessAborted(actOnTopics(options, act, session), session.signal),
  )
}

type ActOnTopics = (admin: KafkaAdmin, plan: readonly PlannedTopic[], say: (text: string) => void) => Promise<number>

async function actOnTopics(options: TopicsOptions, act: ActOnTopics, { say, signal }: Session): Promise<number> {
  const { sharedPipeline: pipeline, workers, planRows: rows, rowBytes, rowsPerSecond, hours } = options
  checkName('--pipeline', pipeline)
  if (rowsPerSecond !== null) {
    const needed = plannedHours({ rows, hours }, { workers, rowsPerSecond })
    say(`${rows} rows take ${counted(workers, 'worker')} ${needed.toFixed(1)} hours, and are kept for ${hours} hours`)
  }
  const { kafka: cluster } = await readKafkaOptions(options, say)
  if (cluster === null) throw new RowmillError('USAGE', 'which Kafka? Give --brokers HOST:PORT')
  const brokerTimeoutMs = options.brokerTimeout * 1000
  const settings = { ...clusterSettings(cluster), clientId: 'rowmill-topics', brokerTimeoutMs }
  const kafka = new Kafka({ ...settings, logsClient: options.logLevel === 'debug' }, signal, say)
  const admin = await kafka.admin()
  try {
    const partitions = options.partitions ?? plannedPartitions(workers, { rows, rowBytes })
    const brokers = (await admin.brokers()).length
    return await act(admin, planTopics(pipeline, brokers, { partitions, rows, rowBytes, hours }), say)
  } finally {
    await admin.close()
  }
}

function plannedLine({ topic, partitions, replicationFactor, config, diskBytes }: PlannedTopic) {
  const retentionMs = Number(config['retention.ms'])
  const minInsyncReplicas = Number(config['min.insync.replicas'])
  const retentionHours = retentionMs < 0 ? null : Math.round(retentionMs / 36_000) / 100
  return { topic, partitions, replicationFactor, minInsyncReplicas, retentionHours, diskBytes }
}

function describePlan(lines: readonly ReturnType<typeof plannedLine>[]): string {
  const table = [
    ['TOPIC', 'PARTITIONS', 'REPLICAS', 'MIN.INSYNC', 'KEPT', 'DISK'],
    ...lines.map(({ topic, partitions, replicationFactor, minInsyncReplicas, retentionHours, diskBytes }) => [
      topic,
      ...[partitions, replicationFactor, minInsyncReplicas].map(String),
      retentionHours === null ? 'for ever' : `${retentionHours} h`,
      diskBytes === 0 ? 'little' : `${(diskBytes / 1e9).toFixed(1)} GB`,
    ]),
  ]
  const widths = table[0]!.map((_, column) => Math.max(...table.map(cells => cells[column]!.length)))
  return table
    .map(
      cells =>
        `${cells
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
