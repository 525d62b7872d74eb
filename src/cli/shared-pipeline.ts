import { clusterSettings } from '../client-config/kafka-options.ts'
import { checkName } from '../core/names.ts'
import { RowmillError } from '../errors.ts'
import { findOpenTransaction, Kafka, type KafkaAdmin, type PartitionOffset } from '../kafka/index.ts'
import type { OptionValues } from '../options.ts'
import type { PipelineConnection, PipelineContext } from '../pipeline/context.ts'
import { JobLog } from '../pipeline/job-log.ts'
import { roleOf } from '../pipeline/roles.ts'
import { workersGroup } from '../pipeline/topic-names.ts'
import { type EnsureOptions, ensureTopics, findTopics } from '../pipeline/topics.ts'
import { unlessAborted } from '../support/abort.ts'
import type { Say } from '../support/say.ts'
import { type RegistryIds, registerRecords, wireFormat } from '../wire/confluent.ts'
import { KAFKA_OPTIONS, readKafkaOptions } from './kafka-options.ts'
import { type Session, withinLimits } from './limits.ts'
import { LOG_OPTIONS } from './log-options.ts'
import { registryUrl } from './registry-url.ts'

/** The options of every command on a pipeline that other commands serve too. */
export const SHARED_OPTIONS = [
  ...KAFKA_OPTIONS,
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'timeout',
  ...LOG_OPTIONS,
] as const

export type SharedOptions = OptionValues<(typeof SHARED_OPTIONS)[number]> &
  Partial<OptionValues<'compression' | 'tracing'>>

/** A pipeline that other commands serve too. */
export interface SharedPipeline {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly partitions: number
  readonly registryIds: RegistryIds | null
  /** Opens its log of jobs. The caller closes it. `signal` ends every wait in it, with its reason. */
  openJobs(say: Say, signal?: AbortSignal): Promise<JobLog>
  /** How many workers serve the pipeline now. */
  workers(): Promise<number>
  /** How many messages of a rows topic no worker has committed yet. */
  unclassified(topic: string): Promise<number>
  /** Where an open transaction of another producer blocks a rows topic, or null. */
  openTransaction(topic: string): Promise<PartitionOffset | null>
  close(): Promise<void>
}

export interface PipelineUse<P> {
  /** The name of the command. */
  readonly command: string
  readonly options: SharedOptions
  /** How it creates topics that are missing. `asked` is how many partitions the user wants. Null: all must exist. */
  readonly topics: ({ readonly asked?: number | null } & EnsureOptions) | null
  /** What else `act` needs: it is awaited while the command connects. */
  readonly meanwhile?: Promise<P>
}

/** Connects to a pipeline and its jobs, acts on them, and closes what it opened. */
export async function onSharedPipeline<T, P = void>(
  { say, signal }: Session,
  use: PipelineUse<P>,
  act: (context: PipelineContext, shared: SharedPipeline, meanwhile: P) => Promise<T>,
): Promise<T> {
  const tracing = use.options.tracing ? import('../tracing/open.ts').then(({ openTracing }) => openTracing()) : null
  const opening = Promise.all([openSharedPipeline(use, { say, signal }), use.meanwhile as Promise<P>, tracing])
  const [shared, meanwhile, traces] = await unlessAborted(opening, signal)
  const { kafka, pipeline } = shared
  try {
    const jobs = await shared.openJobs(say, signal)
    try {
      const traced = traces?.of({ pipeline, isTemporary: false }) ?? null
      return await act({ kafka, pipeline, jobs, say, signal, tracing: traced }, shared, meanwhile)
    } finally {
      await jobs.close()
    }
  } finally {
    await Promise.all([shared.close(), traces?.flush()])
  }
}

/** Acts on a pipeline that exists already, within the limits of the command line. */
export function onFoundPipeline<T>(
  command: string,
  options: SharedOptions,
  { when, act }: { when: string; act: (context: PipelineContext) => Promise<T> },
): Promise<T> {
  const use = { command, options, topics: null }
  return withinLimits(options, when, session =>
    onSharedPipeline(session, use, context => unlessAborted(act(context), context.signal)),
  )
}

/** Connects to a pipeline. publish, work and collect may start in any order, so each creates missing topics. To be closed. */
export function openSharedPipeline(
  { command, options, topics }: Omit<PipelineUse<unknown>, 'meanwhile'>,
  { say, signal }: Pick<Session, 'say' | 'signal'>,
): Promise<SharedPipeline> {
  return connect({ command, options, say, signal }, (admin, pipeline) => {
    const role = roleOf(command)
    if (topics === null) return findTopics(admin, pipeline, role)
    const { asked = null, ...ensure } = topics
    return ensureTopics(admin, pipeline, asked, { role, say, ...ensure })
  })
}

/** The job that a command is about. Throws USAGE if none is named, or if the name is not allowed. */
export function requireJob(id: string | null): string {
  if (id === null) throw new RowmillError('USAGE', 'which job? Give --job ID, as rowmill publish printed it')
  checkName('--job', id)
  return id
}

/** How to reach a pipeline, which may not be there yet. Asks no broker. Throws USAGE, and what the schema registry throws. */
export async function sharedConnection(
  { command, options }: { readonly command: string; readonly options: SharedOptions },
  { say, signal }: Pick<Session, 'say' | 'signal'>,
): Promise<PipelineConnection & { readonly registryIds: RegistryIds | null }> {
  const { brokerTimeout, compression: asked = 'none', sharedPipeline: pipeline } = options
  checkName('--pipeline', pipeline)
  const { kafka: cluster, config } = await readKafkaOptions(options, say)
  if (cluster === null) {
    const message = `rowmill ${command} needs a Kafka: give --brokers HOST:PORT or set ROWMILL_BROKERS. rowmill broker starts one`
    throw new RowmillError('USAGE', message)
  }
  const compression = asked === 'none' ? (config.compression ?? asked) : asked
  const url = await registryUrl(options, config.registry)
  const registryIds = url === null ? null : await registerRecords(url)
  const format = registryIds && wireFormat(registryIds)
  const brokerTimeoutMs = brokerTimeout * 1000
  const clientId = `rowmill-${command.replace(' ', '-')}`
  const settings = { ...clusterSettings(cluster), clientId, brokerTimeoutMs, compression, format }
  const kafka = new Kafka({ ...settings, logsClient: options.logLevel === 'debug' }, signal, say)
  return { kafka, pipeline, say, registryIds }
}

async function connect(
  { command, options, say, signal }: { command: string; options: SharedOptions } & Pick<Session, 'say' | 'signal'>,
  partitionsOf: (admin: KafkaAdmin, pipeline: string) => Promise<number>,
): Promise<SharedPipeline> {
  const { kafka, pipeline, registryIds } = await sharedConnection({ command, options }, { say, signal })
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
      openTransaction: topic => findOpenTransaction(kafka, topic),
      close: () => admin.close(),
    }
  } catch (error) {
    await admin.close()
    throw error
  }
}

async function openJobs({ kafka, pipeline, say }: PipelineConnection, signal?: AbortSignal): Promise<JobLog> {
  const opening = JobLog.open(kafka, pipeline, say)
  const jobs = await (signal ? unlessAborted(opening, signal) : opening)
  const interrupt = () => jobs.interrupt(signal!.reason)
  if (signal?.aborted) interrupt()
  signal?.addEventListener('abort', interrupt, { once: true })
  return jobs
}
