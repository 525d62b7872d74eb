import type { Collected } from './collect/collect-options.ts'
import type { SourceHeader } from './connector.ts'
import { isCurable, leavesJob, RowmillError, toRowmillError } from './errors.ts'
import { newJobId } from './pipeline/new-job-id.ts'
import { digestOf } from './pipeline/source-identity.ts'
import { pipelineOfRun } from './pipeline/topic-names.ts'
import { FIRST_ROWS } from './probe/sample.ts'
import type { Observer } from './reports/observer.ts'
import type { CollectingReport, ReportedParts } from './reports/report.ts'
import { ProgressSum } from './run/progress-sum.ts'
import type { FlowParts } from './run/run-flow.ts'
import {
  RUN_DEFAULTS,
  type RunOptions,
  type RunReport,
  type RunSettings,
  type UnfinishedRun,
} from './run/run-options.ts'
import { RunProbe } from './run/run-probe.ts'
import { reportRun } from './run/run-reports.ts'
import { openRunTopics, type RunTopics } from './run/run-topics.ts'
import { unlessAborted } from './support/abort.ts'
import { Teardown } from './support/teardown.ts'
import type { PipelineTracing } from './tracing/tracing.ts'
import { StartingWorkers } from './work/starting-workers.ts'
import { Supervisor } from './work/supervisor.ts'

export type { ProbeReport, RunOptions, RunReport, UnfinishedRun } from './run/run-options.ts'

/** Everything a run needs, with nothing left out. */
type Settings = RunSettings & Pick<RunOptions, 'source' | 'sink' | 'classifier'>

/** The whole pipeline on one machine: source -> rows -> workers -> results -> sink. Leaves nothing running. */
export async function run(given: RunOptions): Promise<RunReport> {
  const startedAt = performance.now()
  const options: Settings = { ...RUN_DEFAULTS, ...given }
  const { say, unfinished } = options
  const probe = new RunProbe(options)
  const { source } = probe
  const names = unfinished ?? newNames(options)
  const { job, pipeline } = names
  options.onNamed(names)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const progress = new ProgressSum(options.onProgress)
  const teardown = new Teardown()
  let isOpen = unfinished !== null
  let failure: unknown = null
  try {
    // A run waits for three things, side by side: a worker with the classifier, a broker with the topics, and a scan of
    // the input. What none of them needs to start is loaded after they were started.
    const supervisor = superviseWorkers(options, { progress, probe, signal })
    const tracing = options.tracing ? import('./tracing/open.ts').then(({ openTracing }) => openTracing()) : null
    tracing?.catch(() => {}) // thrown below
    teardown.add(async () => (await tracing?.catch(() => null))?.flush())
    const starting = new StartingWorkers(supervisor, options)
    const launched = Promise.withResolvers<void>()
    const opening = openRunTopics(options, names, { signal, workers: starting.wanted, launched })
    const keep = () => isOpen && options.onOpen !== null && mayResume(failure, options)
    teardown.add(() => opening.then(topics => topics.close(keep())).catch(() => {})) // a broker that died was thrown below
    let collecting = (): CollectingReport | null => null
    const look = () => {
      const { published, total } = progress.sum
      return { publishing: { job, published, total }, working: supervisor.working, collecting: collecting() }
    }
    const reports = opening.then(topics => reportRun(topics, look, options))
    reports.catch(() => {}) // thrown below, with `opening`
    observe(options.observer, { look, supervisor, opening })
    teardown.add(() => reports.then(({ close }) => close(failure)).catch(() => {}))
    teardown.add(() => supervisor.close(failure === null ? 'drain' : 'kill'))
    teardown.add(() => probe.close())
    stopWith(stop, supervisor, opening)
    opening.then(topics => supervisor.work(topics.kafka.settings, topics)).catch(() => {})
    const scanning = starting.open(source)
    const ready = Promise.all([supervisor.ready, opening, scanning, tracing])
    // While a local broker starts there is time for one more Python, but not before that of the workers.
    Promise.all([scanning, supervisor.ready]).then(
      ([scanned]) => probe.start(scanned),
      () => {},
    )
    const loading = launched.promise.then(() => import('./run/run-flow.ts')) // Python and the broker are starting
    loading.catch(() => {}) // thrown below
    const [runtime, topics, header, traces] = await unlessAborted(ready, signal)
    const startSeconds = secondsSince(startedAt)

    checkSource(unfinished, header)
    progress.total(header.total)
    const { openContext, reopenFailed, startFlow } = await loading
    const context = await unlessAborted(openContext(topics.kafka, { pipeline, say, signal }), signal)
    teardown.add(() => context.jobs.close())
    if (unfinished) await reopenFailed(context, job)
    const onOpen = async () => {
      isOpen = true
      if (topics.keepsData)
        await options.onOpen?.({ job, pipeline, sourceDigest: digestOf(header.options), keptIn: topics.keptIn })
    }
    const onCollect = (look: () => CollectingReport) => {
      collecting = look
    }
    const flowIn = (tracing: PipelineTracing | null) => {
      const parts = { job, topics, header, runtime, progress, probe, onOpen, onCollect }
      const flow = startFlow({ ...context, tracing }, options, parts)
      teardown.add(() => Promise.allSettled(flow))
      return unlessAborted(Promise.all(flow), signal)
    }
    const traced = traces?.of({ pipeline, isTemporary: !topics.bulk })
    const flowing = traced ? traced.job({ action: 'run', job }, (_, inside) => flowIn(inside)) : flowIn(null)
    const [, collected, probed] = await flowing
    const seconds = secondsSince(startedAt)
    return {
      ...reportOf(collected),
      ...topics.layout,
      pipeline,
      batchRows: options.batchRows,
      seconds,
      startSeconds,
      classifierVersions: runtime.versions,
      probe: probed,
    }
  } catch (error) {
    failure = signal.aborted ? signal.reason : error
    stop.abort(failure)
    throw failure
  } finally {
    await source.close() // first of all: a read may still wait for input
    await teardown.close()
  }
}

/** The names that the user gave, or new ones. */
function newNames({ job, pipeline }: Settings): UnfinishedRun {
  return { job: job ?? newJobId(), pipeline: pipeline ?? pipelineOfRun(newJobId()) }
}

function observe(
  observer: Observer | null,
  { look, supervisor, opening }: { look: () => ReportedParts; supervisor: Supervisor; opening: Promise<RunTopics> },
): void {
  if (observer === null) return
  observer.watch(look)
  observer.needs('the classifier is imported', supervisor.ready)
  observer.needs('the topics are there', opening)
  opening.then(({ kafka, pipeline }) => observer.connected(kafka, pipeline)).catch(() => {}) // the run throws it
}

function superviseWorkers(
  options: Settings,
  { progress, probe, signal }: Pick<FlowParts, 'progress' | 'probe'> & { signal: AbortSignal },
): Supervisor {
  const { workers, python, classifier: target, batchRows, batchTimeout, classifierMemory, tracing, say } = options
  return new Supervisor({
    workers,
    python,
    target,
    batchRows,
    batchTimeout,
    classifierMemory,
    tracing,
    say,
    probe: Math.min(options.probe, FIRST_ROWS),
    judge: probe.ofWorkers,
    reports: true,
    timings: options.observer !== null,
    onTally: tally => options.observer?.worked(tally),
    signal,
    onOutput: (text, facts) => options.onOutput(text, facts),
    onStderr: options.onStderr,
    onBatch: rows => {
      probe.begin()
      progress.classified(rows)
    },
  })
}

/** Ends the run when its workers fail for good, or when its local broker dies. */
function stopWith(stop: AbortController, supervisor: Supervisor, opening: Promise<RunTopics>): void {
  supervisor.failed.catch(error => stop.abort(error))
  opening.then(({ died }) => died.then(error => stop.abort(error))).catch(() => {})
}

function reportOf({ rowsByWorker, ...collected }: Collected) {
  const rowsIn = collected.rows + collected.rejects
  return { ...collected, rowsIn, rowsByWorker: Object.fromEntries(rowsByWorker) }
}

/** Whether the run can be resumed after this error. */
function mayResume(failure: unknown, { unfinished }: Settings): boolean {
  if (failure === null) return false
  return leavesJob(failure) || isCurable(failure) || (unfinished !== null && isOfOtherInput(failure))
}

/** Whether an unfinished run cannot be resumed because its input is missing or another one. It stays as it is until then. */
export function isOfOtherInput(error: unknown): boolean {
  const { code, facts } = toRowmillError(error)
  return code === 'INPUT_NOT_FOUND' || code === 'JOB_EXISTS' || facts['begunWith'] !== undefined
}

/** Throws INPUT_CHANGED if an unfinished run was begun with other bytes. */
function checkSource(unfinished: UnfinishedRun | null, { options }: SourceHeader): void {
  const begunWith = unfinished?.sourceDigest ?? null
  const now = digestOf(options)
  if (begunWith === null || begunWith === now) return
  const message =
    `job ${unfinished!.job} was begun with other input: ${begunWith} then, ${now ?? 'no digest'} now. ` +
    'Put back the file that it was begun with, or start over: rowmill run IN OUT --restart, with the options of this run'
  throw new RowmillError('INPUT_CHANGED', message, { job: unfinished!.job, begunWith, now })
}

function secondsSince(startedAt: number): number {
  return Math.round(performance.now() - startedAt) / 1000
}
