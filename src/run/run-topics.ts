import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { requireOpenFiles } from '../broker/jvm/open-files-needed.ts'
import { type KeptBroker, openKeptBroker, startsOwn } from '../broker/kept/kept-broker.ts'
import { abandonRun, noteRun } from '../broker/kept/kept-folder.ts'
import { startLocalBroker } from '../broker/local-broker.ts'
import type { LocalBroker } from '../broker/running-broker.ts'
import { clusterSettings } from '../client-config/kafka-options.ts'
import type { Layout } from '../core/sequence.ts'
import { RowmillError, toRowmillError } from '../errors.ts'
import type { Kafka, KafkaAdmin } from '../kafka/index.ts'
import { defaultPartitions } from '../pipeline/default-partitions.ts'
import { topicsOf, workersGroup } from '../pipeline/topic-names.ts'
import { unlessAborted } from '../support/abort.ts'
import { crashPoint } from '../support/crash-point.ts'
import type { Say } from '../support/say.ts'
import type { RegistryIds } from '../wire/confluent.ts'
import type { RunSettings, UnfinishedRun } from './run-options.ts'

interface Launch {
  readonly signal: AbortSignal
  readonly onLaunched: () => void
}

/** How long to wait for the last words of a local broker that does not answer. */
const LAST_WORDS_MS = 1000

/** The topics of a run, on the user's brokers or on a local one that was started for it. To be closed. */
export interface RunTopics {
  readonly kafka: Kafka
  readonly pipeline: string
  /** Whether the pipeline has the topic `bulk`. A pipeline for one run needs none: no other job waits there. */
  readonly bulk: boolean
  /** How many partitions it has, if it belongs to this run alone. */
  readonly ownPartitions: number | null
  readonly layout: Layout
  readonly registryIds: RegistryIds | null
  /** Whether the topics outlive this process. */
  readonly keepsData: boolean
  /** The folder of the kept broker that has the topics, or null. */
  readonly keptIn: string | null
  /** Creates the topic `reports`, if a pipeline of this run alone lacks it. */
  createReports(): Promise<void>
  /** Resolves if the local broker ends by itself. */
  readonly died: Promise<RowmillError>
  /** Disconnects and ends the local broker. Removes what belongs to this run alone, unless `keep`: then it can be resumed. */
  close(keep: boolean): Promise<void>
}

export interface OpenRunTopics {
  readonly signal: AbortSignal
  /** How many workers there will be. */
  readonly workers: Promise<number>
  /** To be resolved once a local broker was found or its process was started, or at once if none is needed. */
  readonly launched: PromiseWithResolvers<void>
}

/** Starts a broker if the run needs one, connects, and creates the topics. */
export async function openRunTopics(
  options: RunSettings,
  run: UnfinishedRun,
  { signal, workers, launched }: OpenRunTopics,
): Promise<RunTopics> {
  const loading = launched.promise.then(loadClients) // while a local broker starts, which needs none of it
  loading.catch(() => {}) // thrown below, where the broker can be closed
  const launch = { signal, onLaunched: launched.resolve }
  const { schemaRegistry } = options
  const registering = schemaRegistry
    ? loading.then(({ registerRecords }) => registerRecords(schemaRegistry))
    : Promise.resolve(null)
  registering.catch(() => {}) // thrown below, where the broker can be closed
  const given = options.kafka ?? (options.brokers && { brokers: options.brokers })
  const cluster = given && clusterSettings(given)
  const kept = cluster ? null : await findKept(options, launch)
  const local = kept ?? (cluster ? null : await startLocal(options, launch))
  launched.resolve()
  const keptIn = kept?.folder ?? null
  if (kept === null) options.onBrokers(local?.clientConfig ?? null)
  const gone = new AbortController()
  local?.died.then(error => gone.abort(error))
  try {
    const [{ Kafka, createReportsTopic, ensureTopics, wireFormat }, registryIds] = await Promise.all([
      loading,
      registering,
    ])
    const settings = {
      ...(cluster ?? local!.cluster),
      clientId: 'rowmill-run',
      brokerTimeoutMs: options.brokerTimeout * 1000,
      compression: options.compression,
      logsClient: options.logsClient,
      format: registryIds && wireFormat(registryIds),
    }
    const kafka = new Kafka(settings, AbortSignal.any([signal, gone.signal]), options.say)
    const keepsData = local?.keepsData ?? true
    const admin = await kafka.admin()
    const partitions = await wantedPartitions(options, unlessAborted(workers, signal))
    if (local && partitions !== null) requireOpenFiles({ partitions, workers: await workers }, kept?.openFiles)
    if (keepsData) await options.onBegin?.({ ...run, keptIn })
    if (kept) await noteRun(kept.folder, run.pipeline, options.keptBroker!.runFile)
    const bulk = options.pipeline !== null
    const ensuring = ensureTopics(admin, run.pipeline, partitions, { bulk, say: options.say })
    const found = await unlessAborted(ensuring, gone.signal) // retries would not bring a local broker back
    crashPoint('topics-there')
    return {
      kafka,
      pipeline: run.pipeline,
      bulk,
      ownPartitions: bulk ? null : found,
      layout: { partitions: found, blockRows: options.batchRows },
      registryIds,
      keepsData,
      keptIn,
      createReports: () => createReportsTopic(admin, run.pipeline),
      died: local?.died ?? new Promise<never>(() => {}),
      async close(keep) {
        if (!keep && !bulk && !local) await dropPipeline(admin, run.pipeline, options.say)
        if (!keep && kept) await abandonRun(kept.folder, run.pipeline).catch(() => {}) // its folder was removed, or the disk is full
        await admin.close()
        await endLocal(local, kept ? null : options.brokerData, keep)
      },
    }
  } catch (error) {
    const reason = local && toRowmillError(error).code === 'BROKER_UNREACHABLE' ? await whyItDied(local, error) : error
    await endLocal(local, kept ? null : options.brokerData, options.unfinished !== null)
    throw reason
  }
}

async function loadClients() {
  const [{ Kafka }, { createReportsTopic, ensureTopics }, { registerRecords, wireFormat }] = await Promise.all([
    import('../kafka/index.ts'),
    import('../pipeline/topics.ts'),
    import('../wire/confluent.ts'),
  ])
  return { Kafka, createReportsTopic, ensureTopics, registerRecords, wireFormat }
}

function startLocal({ brokerData, say }: RunSettings, launch: Launch): Promise<LocalBroker> {
  return startLocalBroker({
    ...launch,
    auth: true,
    onProgress: say,
    ...(brokerData === null ? {} : { dataDir: brokerData, mayForget: true }),
  })
}

/**
 * The broker of an earlier run, or a new one that stays. Null: this run starts one for itself. A run that is resumed needs the
 * broker that has its topics. Another run with a pipeline of a given name must not meet that pipeline there.
 */
async function findKept(options: RunSettings, launch: Launch): Promise<KeptBroker | null> {
  const { keptBroker, pipeline, partitions, workers, unfinished, say } = options
  if (keptBroker === null || pipeline !== null) return null
  const load = { partitions: partitions ?? defaultPartitions(workers), workers }
  const found = await openKeptBroker({ ...launch, folder: keptBroker.folder, load, say })
  if (typeof found !== 'string') return found
  if (unfinished !== null) {
    const message = `the local Kafka in ${keptBroker.folder}, which has the topics of this run, cannot be used: ${found}. End its processes`
    throw new RowmillError('BROKER_FAILED', message, { path: keptBroker.folder })
  }
  say(startsOwn(found), { level: 'warn' })
  return null
}

async function endLocal(local: LocalBroker | null, brokerData: string | null, keep: boolean): Promise<void> {
  await local?.kill()
  if (local?.keepsData && brokerData !== null && !keep) await rm(brokerData, { recursive: true, force: true })
}

/** How many partitions to ask for. Null: topics that exist keep theirs. */
async function wantedPartitions(
  { partitions, pipeline, unfinished }: RunSettings,
  workers: Promise<number>,
): Promise<number | null> {
  workers.catch(() => {})
  if (partitions !== null || pipeline !== null || unfinished !== null) return partitions
  return defaultPartitions(await workers)
}

/** A broker that does not answer may have died. It then says why, a moment later. */
async function whyItDied(local: LocalBroker, error: unknown): Promise<unknown> {
  return await Promise.race([local.died, delay(LAST_WORDS_MS, error, { ref: false })])
}

async function dropPipeline(admin: KafkaAdmin, pipeline: string, say: Say): Promise<void> {
  try {
    const existing = await admin.partitions(Object.values(topicsOf(pipeline)))
    await admin.deleteTopics([...existing.keys()])
  } catch (error) {
    say(`the topics ${pipeline}.* could not be deleted: ${(error as Error).message}`, { level: 'warn' })
  }
  await admin.deleteGroup(workersGroup(pipeline)).catch(() => {}) // a group with a killed member expires later by itself
}
