import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { requireOpenFiles } from './broker/jvm/open-files-needed.ts'
import { startLocalBroker } from './broker/local-broker.ts'
import type { LocalBroker } from './broker/running-broker.ts'
import type { ClassifierRuntime } from './classifier/boundary.ts'
import { collect } from './collect/collector.ts'
import type { Sink, Source, SourceHeader } from './connector.ts'
import { hasFailed } from './core/job.ts'
import type { Layout } from './core/sequence.ts'
import { isCurable, leavesJob, RowmillError, toRowmillError } from './errors.ts'
import { reopen } from './jobs/reopen.ts'
import { Kafka, type KafkaAdmin } from './kafka/index.ts'
import type { JobOption, Rejected } from './model.ts'
import { type Compression, OPTIONS } from './options.ts'
import type { PipelineContext } from './pipeline/context.ts'
import { JobLog } from './pipeline/job-log.ts'
import { newJobId } from './pipeline/new-job-id.ts'
import { digestOf } from './pipeline/source-identity.ts'
import { topicsOf, workersGroup } from './pipeline/topic-names.ts'
import { defaultPartitions, ensureTopics } from './pipeline/topics.ts'
import { publish } from './publish/publisher.ts'
import { rejectOnAbort, unlessAborted } from './support/abort.ts'
import { crashPoint } from './support/crash-point.ts'
import type { Say } from './support/say.ts'
import { type RegistryIds, registerRecords, wireFormat } from './wire/confluent.ts'
import { StartingWorkers } from './work/starting-workers.ts'
import { Supervisor } from './work/supervisor.ts'

/** How long a local broker that just went may take to be missed. */
const LAST_WORDS_MS = 1000

export interface RunOptions extends Partial<RunSettings> {
  readonly source: Source
  readonly sink: Sink
  /** `FILE[:NAME]` or `package.module:name`. */
  readonly classifier: string
}

/** What may be left out, with what stands in RUN_DEFAULTS then. */
export interface RunSettings {
  readonly python: string
  readonly workers: number
  readonly batchRows: number
  /** How long one call of the classifier may take, in seconds. */
  readonly batchTimeout: number
  /** What one classifier may take of memory, in MB; null: no limit. */
  readonly classifierMemory: number | null
  /** null: enough for the workers. */
  readonly partitions: number | null
  /** null: a local broker for this run. */
  readonly brokers: readonly string[] | null
  /** How long to go on trying while the broker does not answer, in seconds. */
  readonly brokerTimeout: number
  /** What messages are compressed with on their way to the broker. */
  readonly compression: Compression
  /** Where a local broker keeps its topics if the run does not complete; null: nowhere. */
  readonly brokerData: string | null
  /** The URL of a schema registry: then messages are in Confluent wire format. */
  readonly schemaRegistry: string | null
  /** null: a pipeline of its own, whose topics go when the run ends. */
  readonly pipeline: string | null
  /** null: a new id. */
  readonly job: string | null
  /** An unfinished run to go on with, as `onOpen` was told of it; its source and options must be the same. */
  readonly unfinished: UnfinishedRun | null
  /** Options for the job record: `toCsv`, `cast`, `maxRejects`. */
  readonly options: readonly JobOption[]
  /** Ends the run with its reason. */
  readonly signal: AbortSignal
  readonly say: Say
  /** Called before there is anything of the run on a broker: killed from then on, it is found by this. */
  readonly onBegin: ((run: UnfinishedRun) => Promise<void> | void) | null
  /** Called before the first row; null: a run that does not complete leaves nothing that can be gone on with. */
  readonly onOpen: ((run: UnfinishedRun) => Promise<void> | void) | null
  /** Gets what the classifier printed. */
  readonly onOutput: (text: string) => void
  readonly onProgress: (progress: RunProgress) => void
}

const RUN_DEFAULTS: RunSettings = {
  python: OPTIONS.python.fallback,
  workers: OPTIONS.workers.fallback,
  batchRows: OPTIONS.batchRows.fallback,
  batchTimeout: OPTIONS.batchTimeout.fallback,
  brokerTimeout: OPTIONS.brokerTimeout.fallback,
  compression: OPTIONS.compression.fallback,
  ...{ classifierMemory: null, partitions: null, brokers: null, brokerData: null, schemaRegistry: null },
  ...{ pipeline: null, job: null, unfinished: null, options: [], onBegin: null, onOpen: null },
  signal: new AbortController().signal,
  ...{ say: () => {}, onOutput: () => {}, onProgress: () => {} },
}

/** Everything a run needs, with nothing left out. */
type Settings = Pick<RunOptions, 'source' | 'sink' | 'classifier'> & RunSettings

/** What a run that was cut short is found by. */
export interface UnfinishedRun {
  readonly job: string
  readonly pipeline: string
  /** The option `sourceDigest` of its source, where that is known: then the same bytes are needed to go on. */
  readonly sourceDigest?: string | null
}

/** Rows so far; `total` is null where the source does not know. */
export interface RunProgress {
  readonly published: number
  readonly classified: number
  readonly written: number
  readonly total: number | null
}

export interface RunReport {
  readonly job: string
  readonly pipeline: string
  readonly rows: number
  readonly rejects: number
  readonly duplicates: number
  /** The first of the rejected rows, at most 100: a run of its own leaves no topic to look them up in. */
  readonly rejected: readonly Rejected[]
  readonly partitions: number
  readonly blockRows: number
  readonly batchRows: number
  readonly rowsByWorker: Readonly<Record<string, number>>
  /** What the classifier ran under: `{ python, pandas }`, or `{ node }`. */
  readonly classifierVersions: Readonly<Record<string, string>>
  /** From the call to the last byte. */
  readonly seconds: number
  /** From the call to the first row published: starts of broker, Python and pandas. */
  readonly startSeconds: number
}

/** The whole pipeline on one machine: source -> rows -> workers -> results -> sink. Nothing of it is left running. */
export async function run(given: RunOptions): Promise<RunReport> {
  const options: Settings = { ...RUN_DEFAULTS, ...given, source: closedOnce(given.source) }
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const progress = new ProgressSum(options)
  const { workers, python, classifier: target, batchRows, batchTimeout, classifierMemory, say } = options
  const onOutput = (text: string) => options.onOutput(text)
  const onBatch = (rows: number) => progress.classified(rows)
  const supervisor = new Supervisor({
    ...{ workers, python, target, batchRows, batchTimeout, classifierMemory },
    ...{ say, onOutput, onBatch },
  })
  const starting = new StartingWorkers(supervisor, options)
  const names = namesOf(options)
  const place = openPlace(options, names, { signal, workers: starting.wanted })
  const running = runJob(options, { job: names.job, supervisor, starting, place, progress, signal, stop })
  let fault: unknown = null
  try {
    return await Promise.race([running, supervisor.failed, brokerDied(place), rejectOnAbort(options.signal)])
  } catch (error) {
    fault = error
    stop.abort(error)
    throw error
  } finally {
    await options.source.close()
    await Promise.allSettled([running, place])
    await supervisor.close(stop.signal.aborted ? 'kill' : 'drain')
    const waits = options.unfinished !== null && isOfOtherInput(fault)
    const goesOn = fault !== null && (leavesJob(fault) || isCurable(fault) || waits)
    const keep = goesOn && progress.opened && options.onOpen !== null
    await place.then(({ close }) => close(keep)).catch(() => {}) // how it failed to open was thrown above
  }
}

interface Parts {
  readonly job: string
  readonly supervisor: Supervisor
  readonly starting: StartingWorkers
  readonly place: Promise<Place>
  readonly progress: ProgressSum
  readonly signal: AbortSignal
  readonly stop: AbortController
}

async function runJob(options: Settings, parts: Parts): Promise<RunReport> {
  const { job, supervisor, starting, place, progress, signal, stop } = parts
  const started = performance.now()
  place.then(({ kafka, ...at }) => supervisor.work(kafka.settings, at)).catch(() => {})
  // What a run waits for, side by side: Python with pandas and the classifier, the broker, a scan of the input.
  const opening = Promise.all([supervisor.ready, place, starting.open(options.source)])
  const [runtime, { kafka, pipeline, bulk, layout, keepsData }, header] = await unlessAborted(opening, signal)
  const startSeconds = secondsSince(started)
  checkSource(options.unfinished, header)
  progress.total(header.total)
  const jobs = await JobLog.open(kafka, pipeline, options.say)
  const context = { kafka, pipeline, jobs, say: options.say, signal }
  if (options.unfinished) await reopenFailed(context, job)
  const jobOptions = [...options.options, quoting(runtime)]
  const onOpen = async () => {
    progress.opened = true
    if (keepsData) await options.onOpen?.({ job, pipeline, sourceDigest: digestOf(header.options) })
  }
  const onPublished = (rows: number) => progress.published(rows)
  const onWritten = (_: number, rows: number) => progress.written(rows)
  const held = Promise.withResolvers<void>()
  const publishing = publish(context, options.source, {
    header,
    job,
    layout,
    bulk,
    options: jobOptions,
    by: 'run',
    onOpen,
    onHeld: held.resolve,
    onProgress: onPublished,
  })
  publishing.catch(held.reject)
  // Not before the id is this run's: the results of somebody else's job must not become OUT.
  const collecting = held.promise.then(
    () => collect(context, { job, sink: options.sink, onProgress: onWritten }),
    async error => {
      await options.sink.close()
      throw error
    },
  )
  const ends = [publishing, collecting] as const
  try {
    const [, { rows, rejects, duplicates, rejected, rowsByWorker }] = await Promise.all(ends)
    const counts = { rows, rejects, duplicates, rejected, rowsByWorker: Object.fromEntries(rowsByWorker) }
    const times = { seconds: secondsSince(started), startSeconds }
    return {
      job,
      pipeline,
      ...counts,
      ...layout,
      batchRows: options.batchRows,
      ...times,
      classifierVersions: runtime.versions,
    }
  } catch (error) {
    stop.abort(error) // the other end stops too
    await options.source.close()
    throw error
  } finally {
    await Promise.allSettled(ends)
    await jobs.close()
  }
}

/** Whether an unfinished run cannot be gone on with for its input: it stays as it was, until that is back. */
export function isOfOtherInput(error: unknown): boolean {
  const { code, facts } = toRowmillError(error)
  return code === 'INPUT_NOT_FOUND' || code === 'JOB_EXISTS' || facts['begunWith'] !== undefined
}

/** Throws INPUT_CHANGED where an unfinished run was begun with other bytes. */
function checkSource(unfinished: UnfinishedRun | null, { options }: SourceHeader): void {
  const begunWith = unfinished?.sourceDigest ?? null
  const now = digestOf(options)
  if (begunWith === null || begunWith === now) return
  const message =
    `job ${unfinished!.job} was begun with other input: ${begunWith} then, ${now ?? 'no digest'} now. ` +
    'Put the file back that it was begun with, or begin again: rowmill run IN OUT --restart, with the options of this run'
  throw new RowmillError('INPUT_CHANGED', message, { job: unfinished!.job, begunWith, now })
}

/** A job that failed by its classifier has its chance with another one. */
async function reopenFailed(context: PipelineContext, id: string): Promise<void> {
  const before = await context.jobs.latest(id)
  if (!before || !hasFailed(before)) return
  const reopened = await reopen(context, id, 'run')
  if (reopened) context.say(`job ${id} failed before, and goes on in attempt ${reopened.job.attempt}`)
}

/** It is closed as soon as something fails, or else a read of it might be waited for; and at the end. */
function closedOnce(source: Source): Source {
  let closing: Promise<void> | null = null
  return {
    open: counted => source.open(counted),
    rows: () => source.rows(),
    close: () => {
      closing ??= source.close()
      return closing
    },
  }
}

/** Where the job runs: a broker, and the topics of a pipeline on it. */
interface Place {
  readonly kafka: Kafka
  readonly pipeline: string
  /** Whether the pipeline has the topic `bulk`: in one of its own a run has nobody to let through. */
  readonly bulk: boolean
  readonly layout: Layout
  readonly registryIds: RegistryIds | null
  /** Whether the topics outlive this process. */
  readonly keepsData: boolean
  /** Resolves if a local broker ends by itself. */
  readonly died: Promise<RowmillError>
  /** Removes what belongs to this run alone, unless it is to be kept for another one that goes on with it. */
  close(keep: boolean): Promise<void>
}

/** As the run was called before, or the user says; else by names nobody has. */
function namesOf({ unfinished, job, pipeline }: Settings): UnfinishedRun {
  return unfinished ?? { job: job ?? newJobId(), pipeline: pipeline ?? `rowmill-${newJobId()}` }
}

async function openPlace(
  options: Settings,
  names: UnfinishedRun,
  { signal, workers }: { signal: AbortSignal; workers: Promise<number> },
): Promise<Place> {
  const registering = options.schemaRegistry ? registerRecords(options.schemaRegistry) : Promise.resolve(null)
  registering.catch(() => {}) // thrown below, when the broker that starts meanwhile can be closed
  const local = options.brokers ? null : await startLocalBroker({ signal, onProgress: options.say, ...keptIn(options) })
  try {
    const ids = await registering
    const brokers = options.brokers ?? [local!.address]
    const { compression, brokerTimeout } = options
    const format = ids && wireFormat(ids)
    const brokerTimeoutMs = brokerTimeout * 1000
    const kafka = new Kafka({ brokers, clientId: 'rowmill-run', brokerTimeoutMs, compression, format })
    const { pipeline } = names
    const bulk = options.pipeline !== null
    const asIs = options.pipeline || options.unfinished
    const wanted = options.partitions ?? (asIs ? null : defaultPartitions(await unlessAborted(workers, signal)))
    if (local && wanted !== null) requireOpenFiles({ partitions: wanted, workers: await workers })
    const admin = await kafka.admin()
    const keepsData = local?.keepsData ?? true
    if (keepsData) await options.onBegin?.(names)
    const partitions = await ensureTopics(admin, pipeline, wanted, { bulk, say: options.say })
    crashPoint('topics-there')
    const died = local?.died ?? new Promise<never>(() => {})
    const close = async (keep: boolean) => {
      if (options.brokers && !options.pipeline && !keep) await dropPipeline(admin, pipeline, options.say)
      await admin.close()
      await closeLocal(keep)
    }
    const layout = { partitions, blockRows: options.batchRows }
    return { kafka, pipeline, bulk, layout, registryIds: ids, keepsData, died, close }
  } catch (error) {
    const reason = local && toRowmillError(error).code === 'BROKER_UNREACHABLE' ? await whyItDied(local, error) : error
    await closeLocal(Boolean(options.unfinished))
    throw reason
  }

  async function closeLocal(keep: boolean): Promise<void> {
    await local?.kill()
    if (local?.keepsData && !keep) await rm(options.brokerData!, { recursive: true, force: true })
  }
}

/** That a local broker does not answer says less than its last words, which come a moment later. */
async function whyItDied(local: LocalBroker, error: unknown): Promise<unknown> {
  return await Promise.race([local.died, delay(LAST_WORDS_MS, error, { ref: false })])
}

function keptIn({ brokerData }: Settings): { dataDir?: string; mayForget?: boolean } {
  return brokerData ? { dataDir: brokerData, mayForget: true } : {}
}

async function dropPipeline(admin: KafkaAdmin, pipeline: string, say: Say): Promise<void> {
  try {
    const there = await admin.partitions(Object.values(topicsOf(pipeline)))
    await admin.deleteTopics([...there.keys()])
  } catch (error) {
    say(`the topics ${pipeline}.* could not be deleted: ${(error as Error).message}`)
  }
  await admin.deleteGroup(workersGroup(pipeline)).catch(() => {}) // with a killed member it goes by itself, later
}

/** Adds up what publisher, workers and collector report, each for itself. */
class ProgressSum {
  readonly #options: Settings
  /** Whether there is a job to go on with. */
  opened: boolean
  #sum: RunProgress = { published: 0, classified: 0, written: 0, total: null }

  constructor(options: Settings) {
    this.#options = options
    this.opened = Boolean(options.unfinished)
  }

  total(total: number | null): void {
    this.#tell({ ...this.#sum, total })
  }

  published(published: number): void {
    this.#tell({ ...this.#sum, published })
  }

  /** Workers count what they classify, also a batch that another one had classified before it died. */
  classified(rows: number): void {
    this.#tell({ ...this.#sum, classified: Math.min(this.#sum.published, this.#sum.classified + rows) })
  }

  /** What is written was classified, also where a worker has not said so yet. */
  written(written: number): void {
    this.#tell({ ...this.#sum, written, classified: Math.max(this.#sum.classified, written) })
  }

  #tell(sum: RunProgress): void {
    this.#sum = sum
    this.#options.onProgress(sum)
  }
}

/** Bytes depend on it, so it belongs to the job: the sink quotes a carriage return as the classifier's Python does. */
function quoting({ quotesCarriageReturn }: ClassifierRuntime): JobOption {
  return { name: 'quotesCarriageReturn', value: String(quotesCarriageReturn) }
}

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000
}

async function brokerDied(place: Promise<Place>): Promise<never> {
  throw await (await place).died
}
