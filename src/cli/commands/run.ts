import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { CsvSource } from '../../../connectors/csv-source.ts'
import { finishCommit, forgetCommit } from '../../../connectors/file/finish-commit.ts'
import { FileSink } from '../../../connectors/file-sink.ts'
import { StdoutSink } from '../../../connectors/stdout-sink.ts'
import { moduleTarget } from '../../classifier/module/module-target.ts'
import {
  COMPLETE_WITH_REJECTS,
  type ErrorCode,
  isCurable,
  isOfOutput,
  leavesJob,
  RowmillError,
  toRowmillError,
} from '../../errors.ts'
import type { JobOption } from '../../model.ts'
import { checkToCsv } from '../../pandas/to-csv.ts'
import type { Observer } from '../../reports/observer.ts'
import { isOfOtherInput, type RunReport, run, type UnfinishedRun } from '../../run.ts'
import { crashPoint } from '../../support/crash-point.ts'
import { commandLine } from '../../support/shell.ts'
import { defineCommand } from '../command.ts'
import { jobOptions, toCsvArguments } from '../job-options.ts'
import { nullsOf, printJson } from '../json-output.ts'
import { readKafkaOptions } from '../kafka-options.ts'
import { keptPlace } from '../kept-place.ts'
import { type Session, withinLimits } from '../limits.ts'
import { withMeter } from '../metering.ts'
import { collectedBefore, notOfRun, unfinishedBefore } from '../occupied-output.ts'
import { type Pasted, withPasted } from '../pasted-calls.ts'
import { registryUrl } from '../registry-url.ts'
import { sameCommand, withConfigAgain, withCure, withResumeCommand, withSameCommand } from '../resume-command.ts'
import { RunFile } from '../run-file.ts'
import { noteRun } from '../run-note.ts'
import {
  checkOptions,
  checkStandardOutput,
  RUN_OPTIONS,
  type RunValues,
  resumedOptions,
  withoutSecrets,
} from '../run-options.ts'
import { RUN_REPORT, tellReport } from '../run-report.ts'
import { Terminal } from '../terminal.ts'

/** What may end a run before there is a job to resume. */
const BEFORE_JOB: readonly ErrorCode[] = [
  'INTERRUPTED',
  'TIMEOUT',
  'READER_DIED',
  'BROKER_UNREACHABLE',
  'BROKER_FAILED',
]
const WHEN = 'before the job was complete'

export const runCommand = defineCommand({
  name: 'run',
  doc: 'read IN, classify every row, write OUT: the whole pipeline on this machine',
  operands: [
    {
      name: 'IN',
      doc: 'a CSV file, also .gz, .bz2, .zip or .zst (with --read also .xz and .tar), or - for standard input',
      optional: true,
    },
    { name: 'OUT', doc: 'the file to write, or - for standard output', optional: true },
  ],
  example:
    'rowmill run rows.csv classified.csv --classifier black_box.py:classify_df --read "pd.read_csv(IN)" --write "df.to_csv(OUT, index=False)"',
  options: RUN_OPTIONS,
  docs: {
    brokers: 'the Kafka brokers to use; if neither this nor a client property names any, run starts a local Kafka',
    workers: 'workers, each with its own classifier; run may start fewer for a small file',
  },
  json: RUN_REPORT,
  exits: [COMPLETE_WITH_REJECTS, 5, 6],
  act([input, output], options) {
    if (options.resume !== null) return resumeRun(options.resume, [input, output], options)
    if (input === undefined || output === undefined) throw new RowmillError('USAGE', 'which files? Give IN and OUT')
    return beginRun(input, output, options)
  },
})

function beginRun(input: string, output: string, options: RunValues): Promise<number> {
  checkOptions(input, output, options)
  return withinLimits(options, WHEN, session =>
    withMeter({ command: 'run', options, output: fileOf(output), say: session.say }, observer =>
      withPasted({ input, options, session, forJob: true }, pasted =>
        beginWith(pasted, session, { input, output, options, observer }),
      ),
    ),
  )
}

async function beginWith(
  pasted: Pasted | null,
  session: Session,
  { input, output, options, observer }: Pick<RunParts, 'input' | 'output' | 'options' | 'observer'>,
): Promise<number> {
  const toCsv = toCsvArguments(options, pasted)
  checkStandardOutput(output, toCsv)
  const recorded = jobOptions(options, pasted)
  const sink = sinkOf(output, { ...options, toCsv, resumable: input !== '-' })
  try {
    if (sink instanceof FileSink) await sink.reserve()
    const runFile = output === '-' || input === '-' ? null : new RunFile<RunValues>(output)
    if (runFile?.exists) {
      if (!options.restart) throw unfinishedBefore(output)
      await runFile.remove()
    }
    if (sink instanceof FileSink && !options.restart && (await sink.isUnfinished())) throw collectedBefore(output)
    const parts = { input, output, options, pasted, jobOptions: recorded, sink, runFile, observer, unfinished: null }
    return await runToEnd(parts, session)
  } finally {
    await sink.close()
  }
}

async function resumeRun(output: string, operands: (string | undefined)[], given: RunValues): Promise<number> {
  if (operands.some(operand => operand !== undefined))
    throw new RowmillError('USAGE', '--resume OUT resumes a run: leave out IN and OUT')
  const runFile = new RunFile<RunValues>(output)
  const { job, pipeline, sourceDigest = null, keptIn = null, folder, input, options: begun } = await runFile.read()
  const resumed = resumedOptions(begun, given)
  const { config, metricsTokenFile } = resumed
  const options = {
    ...resumed,
    config: config && resolve(config),
    metricsTokenFile: metricsTokenFile && resolve(metricsTokenFile),
  }
  const terminal = new Terminal(options)
  if (await finishCommit(output, job)) {
    await runFile.remove()
    terminal.say(`${output} is complete already`)
    if (options.output === 'json') printJson(RUN_REPORT, [{ ...nullsOf(RUN_REPORT), job }])
    return 0
  }
  const path = resolve(output)
  const mayAppend = begun.write !== null || checkToCsv(begun.toCsv).file.mode === 'a'
  if (existsSync(path) && !begun.force && !mayAppend) throw notOfRun(output)
  const { classifier, python } = begun
  const by = moduleTarget(classifier!) ? 'this Node' : `the interpreter ${python}`
  terminal.say(`resuming with the classifier ${classifier}, given in ${folder}, run by ${by}`)
  process.chdir(folder)
  checkOptions(input, path, options)
  const unfinished = { job, pipeline, sourceDigest, keptIn }
  return await withinLimits(options, WHEN, session =>
    withMeter({ command: 'run', options, output: fileOf(path), say: session.say }, observer =>
      withPasted({ input, options, session, forJob: true }, async pasted => {
        const sink = sinkOf(path, { ...options, toCsv: toCsvArguments(options, pasted), restart: false }) as FileSink
        try {
          await sink.reserve()
          const recorded = jobOptions(options, pasted)
          const parts = {
            input,
            output: path,
            options,
            pasted,
            jobOptions: recorded,
            sink,
            runFile,
            observer,
            unfinished,
          }
          return await runToEnd(parts, session)
        } catch (error) {
          throw begun.config === null || given.config !== null ? error : withConfigAgain(error, begun.config)
        } finally {
          await sink.close()
        }
      }),
    ),
  )
}

interface RunParts {
  readonly input: string
  readonly output: string
  readonly options: RunValues
  readonly pasted: Pasted | null
  readonly jobOptions: readonly JobOption[]
  readonly sink: FileSink | StdoutSink
  /** Null where the run cannot be resumed, because one end is a standard stream. */
  readonly runFile: RunFile<RunValues> | null
  readonly unfinished: UnfinishedRun | null
  readonly observer: Observer | null
}

/** The file that a run writes, or null. */
function fileOf(output: string): string | null {
  return output === '-' ? null : output
}

async function runToEnd(parts: RunParts, session: Session): Promise<number> {
  const { input, output, options, sink, runFile, unfinished } = parts
  let kept = unfinished !== null
  // run.json keeps no password. The file may have one.
  const again = ['rowmill', 'run', '--resume', output, ...(options.config ? ['--config', options.config] : [])]
  if (runFile)
    session.goesOnWith(() => (runFile.exists ? { resume: commandLine(again) } : { again: commandLine(sameCommand()) }))
  const note = noteRun(output, options.property)
  const onBegin = (run: UnfinishedRun) =>
    runFile!.write({ ...run, folder: process.cwd(), input: resolve(input), options: withoutSecrets(options) })
  const onOpen = async (run: UnfinishedRun) => {
    await onBegin(run) // it has the digest of its source by now
    kept = true
  }
  try {
    const report = await runPipeline(parts, session, { ...note.hooks, ...(runFile ? { onBegin, onOpen } : {}) })
    session.terminal.close()
    crashPoint('run-complete')
    await runFile?.remove()
    // A run killed before this line finds the proof and knows that OUT is complete. Another run of OUT may hold the
    // lock by now, so a failure here is no failure of this run.
    if (runFile) await forgetCommit(output, report.job).catch(() => {})
    await tellReport(report, options, session.say)
    return report.rejects === 0 ? 0 : COMPLETE_WITH_REJECTS
  } catch (error) {
    if (kept && leavesJob(error)) throw withResumeCommand(error, again)
    if (kept && isCurable(error)) throw withCure(error, again)
    if (unfinished && isOfOtherInput(error)) throw withResumeCommand(error, again)
    if (unfinished && toRowmillError(error).code === 'USAGE') throw error // nothing was resumed, so all stays as it was
    if (!isOfOutput(error)) await discard(sink, runFile)
    // Before there is a job, the same command starts over.
    throw runFile && BEFORE_JOB.includes(toRowmillError(error).code) ? withSameCommand(error) : error
  } finally {
    await note.close()
  }
}

async function runPipeline(
  { input, options, pasted, jobOptions, sink, runFile, unfinished, observer }: RunParts,
  { terminal, say, signal }: Session,
  hooks: Pick<Parameters<typeof run>[0], 'onNamed' | 'onBrokers' | 'onBegin' | 'onOpen'>,
): Promise<RunReport> {
  const { readCsv, toCsv, delimiter, indexKind } = options
  const { kafka, config } = await readKafkaOptions(options, say)
  return await run({
    source: pasted?.source ?? new CsvSource({ path: input, readCsv, toCsv, delimiter, indexKind, say }),
    sink,
    classifier: options.classifier!,
    python: options.python,
    workers: options.workers,
    batchRows: options.batchRows,
    batchTimeout: options.batchTimeout,
    classifierMemory: options.classifierMemory,
    probe: options.probe,
    partitions: options.partitions,
    kafka,
    brokerTimeout: options.brokerTimeout,
    logsClient: options.logLevel === 'debug',
    tracing: options.tracing,
    compression: options.compression === 'none' ? (config.compression ?? 'none') : options.compression,
    brokerData: runFile?.brokerData ?? null,
    keptBroker: await keptPlace({ input, keep: options.keep && !options.noKeep, runFile, unfinished, say }),
    pipeline: options.pipeline,
    schemaRegistry: await registryUrl(options, config.registry),
    job: options.job,
    unfinished,
    options: jobOptions,
    signal,
    say,
    ...hooks,
    onOutput: (text, facts) => terminal.output(text, facts),
    onStderr: terminal.onStderr,
    onProgress: progress => terminal.progress(progress),
    observer,
  })
}

/** Removes what nobody can resume: it would block the next run. */
async function discard(sink: FileSink | StdoutSink, runFile: RunFile<RunValues> | null): Promise<void> {
  await sink.close()
  if (sink instanceof FileSink) await sink.discard()
  await runFile?.remove()
}

function sinkOf(
  output: string,
  options: Pick<RunValues, 'force' | 'restart' | 'python' | 'toCsv'> & { resumable?: boolean },
): FileSink | StdoutSink {
  const { force, restart, python, toCsv, resumable = true } = options
  if (output === '-') return new StdoutSink()
  return new FileSink({ path: output, force, restart, resumable, keepsProof: resumable, python, toCsv })
}
