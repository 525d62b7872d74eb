import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import { Kafka, type KafkaAdmin, type Position } from '../kafka/index.ts'
import type { OptionValues } from '../options.ts'
import type { PipelineConnection, PipelineContext } from '../pipeline/context.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { workersGroup } from '../pipeline/topic-names.ts'
import { type EnsureOptions, ensureTopics, findTopics } from '../pipeline/topics.ts'
import type { Say } from '../support/say.ts'
import { type RegistryIds, registerRecords, wireFormat } from '../wire/confluent.ts'
import { Limits } from './limits.ts'
import { registryUrl } from './registry-url.ts'
import { Terminal } from './terminal.ts'

type SharedOptions = OptionValues<
  'brokers' | 'brokerTimeout' | 'sharedPipeline' | 'schemaRegistry' | 'schemaRegistryUserinfoFile'
> &
  Partial<OptionValues<'compression'>>

/** A pipeline on a broker that others serve too. */
export interface SharedPipeline {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly partitions: number
  readonly registryIds: RegistryIds | null
  /** Opens the broadcast of its jobs. Whoever opens it closes it. `signal` ends every wait for it with its reason. */
  openJobs(say: Say, signal?: AbortSignal): Promise<JobLog>
  /** How many workers serve the pipeline now. */
  workers(): Promise<number>
  /** How many messages of a topic of rows no worker has done. */
  unclassified(topic: string): Promise<number>
  /** Where a transaction of another producer holds up a topic of rows; null: nowhere. */
  openTransaction(topic: string): Promise<Position | null>
  close(): Promise<void>
}

/**
 * Connects and creates the topics that are missing: publish, work and collect come in any order. `asked` is what the
 * user wants of partitions, the others are those of `ensureTopics`. To be closed.
 */
export function openSharedPipeline(
  command: string,
  options: SharedOptions,
  { asked = null, ...ensure }: { asked?: number | null } & EnsureOptions = {},
): Promise<SharedPipeline> {
  return connect(command, options, (admin, pipeline) => ensureTopics(admin, pipeline, asked, ensure))
}

/** Connects to a pipeline that is there already, and creates nothing. To be closed. */
function findSharedPipeline(command: string, options: SharedOptions): Promise<SharedPipeline> {
  return connect(command, options, findTopics)
}

/**
 * Acts on the jobs of a pipeline that is there already, within the limits of the command line, and closes all it opened.
 * `when` completes "interrupted by SIGTERM".
 */
export async function onFoundPipeline<T>(
  command: string,
  options: SharedOptions & OptionValues<'timeout' | 'quiet'>,
  { when, act }: { when: string; act: (context: PipelineContext) => Promise<T> },
): Promise<T> {
  const terminal = new Terminal({ quiet: options.quiet, progress: false })
  const say = (message: string) => terminal.say(message)
  const limits = new Limits(when, options.timeout)
  try {
    const shared = await findSharedPipeline(command, options)
    const { kafka, pipeline } = shared
    const jobs = await shared.openJobs(say, limits.signal)
    try {
      return await act({ kafka, pipeline, jobs, say, signal: limits.signal })
    } finally {
      await Promise.all([jobs.close(), shared.close()])
    }
  } finally {
    limits.close()
  }
}

/** The job that a command is about. Throws USAGE where none is named, or what cannot be one. */
export function requireJob(id: string | null): string {
  if (id === null) throw new RowmillError('USAGE', 'which job? Give --job ID, as rowmill publish printed it')
  checkName('--job', id)
  return id
}

async function connect(
  command: string,
  { brokers, brokerTimeout, compression = 'none', sharedPipeline: pipeline, ...registry }: SharedOptions,
  partitionsOf: (admin: KafkaAdmin, pipeline: string) => Promise<number>,
): Promise<SharedPipeline> {
  checkName('--pipeline', pipeline)
  if (brokers === null) {
    const message = `rowmill ${command} needs a Kafka: give --brokers HOST:PORT or set ROWMILL_BROKERS; rowmill broker starts one`
    throw new RowmillError('USAGE', message)
  }
  const url = await registryUrl(registry)
  const registryIds = url === null ? null : await registerRecords(url)
  const format = registryIds && wireFormat(registryIds)
  const brokerTimeoutMs = brokerTimeout * 1000
  const kafka = new Kafka({ brokers, clientId: `rowmill-${command}`, brokerTimeoutMs, compression, format })
  const admin = await kafka.admin()
  try {
    return {
      kafka,
      pipeline,
      partitions: await partitionsOf(admin, pipeline),
      registryIds,
      openJobs: (say, signal) => openJobs({ kafka, pipeline, say }, signal),
      workers: () => admin.groupMembers(workersGroup(pipeline)),
      unclassified: topic => admin.lag(workersGroup(pipeline), topic),
      openTransaction: topic => findOpenTransaction(kafka, admin, topic),
      close: () => admin.close(),
    }
  } catch (error) {
    await admin.close()
    throw error
  }
}

/** Readers get nothing behind the first message of an open transaction, though the log goes on there. */
async function findOpenTransaction(kafka: Kafka, admin: KafkaAdmin, topic: string): Promise<Position | null> {
  const reader = await kafka.reader([topic], { stableEnds: true })
  try {
    const partitions = Array.from({ length: reader.partitions(topic) }, (_, partition) => ({ topic, partition }))
    for (const readable of await reader.offsets(partitions, 'end')) {
      const { end } = await admin.bounds(topic, readable.partition)
      const again = end > readable.offset ? await reader.offsets([readable], 'end') : []
      if (again[0]?.offset === readable.offset) return readable
    }
    return null
  } finally {
    await reader.close()
  }
}

async function openJobs({ kafka, pipeline, say }: PipelineConnection, signal?: AbortSignal): Promise<JobLog> {
  const jobs = await JobLog.open(kafka, pipeline, say)
  const interrupt = () => jobs.interrupt(signal!.reason)
  if (signal?.aborted) interrupt()
  signal?.addEventListener('abort', interrupt, { once: true })
  return jobs
}
