import { absoluteTarget } from '../../classifier/absolute-target.ts'
import { checkName } from '../../core/names.ts'
import { RowmillError } from '../../errors.ts'
import { untilClassified } from '../../jobs/until-classified.ts'
import type { OptionValues } from '../../options.ts'
import { defaultPartitions } from '../../pipeline/default-partitions.ts'
import { openProbe } from '../../probe/probe.ts'
import type { Observer } from '../../reports/observer.ts'
import { withOldestBatch } from '../../reports/oldest-batch.ts'
import type { WorkingReport } from '../../reports/report.ts'
import { type Reports, reportLater } from '../../reports/report-later.ts'
import { unlessAborted, untilAborted } from '../../support/abort.ts'
import { counted } from '../../support/counted.ts'
import type { Say, ShowOutput } from '../../support/say.ts'
import type { WorkerActivity } from '../../work/activity.ts'
import { JobProbe } from '../../work/job-probe.ts'
import { Supervisor } from '../../work/supervisor.ts'
import { defineCommand } from '../command.ts'
import { type Session, withinLimits } from '../limits.ts'
import { METER_OPTIONS, withMeter } from '../metering.ts'
import { noteLater } from '../note-later.ts'
import { publicProperties } from '../public-properties.ts'
import { openSharedPipeline, SHARED_OPTIONS, type SharedPipeline } from '../shared-pipeline.ts'
import { Waiting } from '../waiting.ts'

const WORK_OPTIONS = [
  'classifier',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'probe',
  'python',
  'untilDone',
  'compression',
  'tracing',
  ...METER_OPTIONS,
  ...SHARED_OPTIONS,
] as const

type WorkValues = OptionValues<(typeof WORK_OPTIONS)[number]>

export const workCommand = defineCommand({
  name: 'work',
  doc: 'classify the rows of every job of a pipeline until it is stopped, or until --until-done JOB is classified',
  operands: [],
  example: 'rowmill work --classifier black_box.py --workers 2 --brokers 127.0.0.1:9092',
  options: WORK_OPTIONS,
  docs: {
    probe:
      'of the first batch of each job of a file, rows at most to classify once more, in other batches, to see whether the classifier looks at other rows; batches of another kind are tried too; 0 turns it off',
  },
  exits: [5, 6],
  async act(_, options) {
    const { classifier: target, untilDone, tracing } = options
    if (target === null) throw new RowmillError('USAGE', 'which classifier? Give --classifier FILE[:NAME]')
    if (untilDone !== null) checkName('--until-done', untilDone)
    if (tracing) await (await import('../../tracing/open.ts')).checkTracing()
    const what = { ...options, classifier: target }
    return await withinLimits(options, 'before it was done', session =>
      withMeter({ command: 'work', options, output: null, say: session.say }, meter => work(what, session, meter)),
    )
  },
})

async function work(
  { classifier: target, ...options }: WorkValues & { readonly classifier: string },
  { terminal, say, signal }: Session,
  meter: Observer | null,
): Promise<number> {
  const { workers, python, batchRows, batchTimeout, classifierMemory, probe, untilDone, tracing } = options
  const onOutput: ShowOutput = (text, facts) => terminal.output(text, facts)
  const { onStderr } = terminal
  let waitsFor: string | null = null
  const waitFor = (what: string) => {
    waitsFor = what
  }
  const waiting = new Waiting(say, async () => waitsFor && (inClassifier(supervisor.working) ?? waitsFor))
  const onBatch = () => waiting.progress()
  const classifier = { python, target, batchRows, batchTimeout, classifierMemory, probe }
  const open = () => openProbe(classifier)
  const judge = probe > 0 ? new JobProbe({ say, open, closes: true }) : null
  const supervisor = new Supervisor({
    ...{ ...classifier, workers, tracing, say, onOutput, onStderr, onBatch, judge, signal, reports: true },
    ...(meter ? { timings: true, onTally: (tally: WorkerActivity) => meter.worked(tally) } : {}),
  })
  supervisor.start()
  meter?.needs('the classifier is imported', supervisor.ready)
  const look = () => ({ publishing: null, working: supervisor.working, collecting: null })
  meter?.watch(look)
  const ended = new AbortController()
  const until = { say, waitFor, signal: AbortSignal.any([signal, ended.signal]) }
  let how: 'drain' | 'kill' = 'kill'
  let done: Promise<void> | null = null
  let reports: Reports | null = null
  let note: ReturnType<typeof noteLater> | null = null
  let failure: unknown = null
  try {
    const topics = { ifNew: defaultPartitions(workers) }
    const opening = openSharedPipeline({ command: 'work', options, topics }, { say, signal })
    meter?.needs('the cluster is reached', opening)
    const shared = await unlessAborted(opening, signal)
    await shared.close()
    const { kafka, pipeline, registryIds } = shared
    meter?.connected(kafka, pipeline)
    supervisor.work(kafka.settings, { pipeline, bulk: true, registryIds })
    note = noteLater({
      ...{ command: 'work', output: null, job: null, pipeline },
      cluster: publicProperties(options.property),
    })
    reports = reportLater({ kafka, pipeline, command: 'work', look, say, uses: { classifier: absoluteTarget(target) } })
    waitFor(`waiting for rows of pipeline ${pipeline}: nothing to classify`)
    done = untilDone === null ? null : untilJobDone(untilDone, shared, until)
    await Promise.race([untilAborted(signal), supervisor.failed, ...(done ? [done] : [])])
    how = 'drain'
    signal.throwIfAborted()
    return 0
  } catch (error) {
    // A signal is how work without --until-done ends, so that is no failure. A time-out is one.
    if (untilDone === null && error === signal.reason && signal.reason.code !== 'TIMEOUT') return 0
    failure = error
    throw error
  } finally {
    ended.abort()
    await Promise.allSettled([supervisor.close(how), done])
    await Promise.all([reports?.close(failure), note?.close()])
    waiting.close()
  }
}

/** Says which batch the command waits for. Null: no classifier has a batch. */
function inClassifier(working: WorkingReport): string | null {
  const oldest = withOldestBatch(working)
  if (oldest === null) return null
  const { name, batch } = oldest
  const { rows, row, job } = batch
  const from = row === null ? '' : ` from row ${row}`
  return `waiting for the classifier of worker ${name}, which has ${counted(rows, 'row')}${from} of job ${job}`
}

async function untilJobDone(
  job: string,
  { kafka, pipeline, openJobs }: SharedPipeline,
  { say, waitFor, signal }: { say: Say; waitFor: (what: string) => void; signal: AbortSignal },
): Promise<void> {
  const jobs = await openJobs(say, signal)
  try {
    waitFor(`job ${job} is not published yet in pipeline ${pipeline}`)
    await jobs.until(job, () => true, signal)
    waitFor(`job ${job} is not fully classified yet: waiting for its rows, or for other workers that have them`)
    await untilClassified({ kafka, pipeline, jobs, say, signal }, job)
  } finally {
    await jobs.close()
  }
}
