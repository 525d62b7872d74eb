import { existsSync, realpathSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CsvSource } from '../../../connectors/csv-source.ts'
import { finishCommit, forgetCommit } from '../../../connectors/file/finish-commit.ts'
import { stateFolder } from '../../../connectors/file/output-path.ts'
import { FileSink } from '../../../connectors/file-sink.ts'
import { StdoutSink } from '../../../connectors/stdout-sink.ts'
import { moduleTarget } from '../../classifier/module/module-target.ts'
import { checkName } from '../../core/names.ts'
import { nameOf } from '../../core/reject-budget.ts'
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
import { OPTIONS, type OptionValues } from '../../options.ts'
import { isOfOtherInput, type RunReport, run, type UnfinishedRun } from '../../run.ts'
import { crashPoint } from '../../support/crash-point.ts'
import { holdsCredentials, withoutCredentials } from '../../support/credentials.ts'
import type { CommandSpec } from '../command.ts'
import { jobOptions } from '../job-options.ts'
import { Limits } from '../limits.ts'
import { registryUrl } from '../registry-url.ts'
import { withCure, withResumeCommand } from '../resume-command.ts'
import { RunStateFile } from '../run-state.ts'
import { Terminal } from '../terminal.ts'
import { version } from '../version.ts'

const OPTION_NAMES = [
  'classifier',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'maxRejects',
  'partitions',
  'brokers',
  'brokerTimeout',
  'compression',
  'pipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'python',
  'job',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'readCsv',
  'toCsv',
  'force',
  'restart',
  'resume',
  'timeout',
  'quiet',
  'progress',
  'report',
] as const

type RunValues = OptionValues<(typeof OPTION_NAMES)[number]>

/** What may be said anew when a run is gone on with; all other options are as it was begun. */
const FREE_WHEN_RESUMED: ReadonlySet<string> = new Set([
  'resume',
  'workers',
  'timeout',
  'quiet',
  'progress',
  'report',
  'schemaRegistryUserinfoFile',
])
/** How many rejected rows are told one by one. */
const REJECTS_SAID = 5
/** What may end a run before there is a job to go on with. */
const BEFORE_JOB: readonly ErrorCode[] = ['INTERRUPTED', 'TIMEOUT', 'BROKER_UNREACHABLE', 'BROKER_FAILED']

export const runCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'run',
  doc: 'read IN, classify every row, write OUT: the whole pipeline on this machine',
  operands: [
    { name: 'IN', doc: 'a CSV file, also .gz, or - for standard input', optional: true },
    { name: 'OUT', doc: 'the file to write, or - for standard output', optional: true },
  ],
  example: 'rowmill run rows.csv classified.csv --classifier black_box.py:classify_df',
  options: OPTION_NAMES,
  act([input, output], options) {
    if (options.resume !== null) return resumeRun(options.resume, [input, output], options)
    if (input === undefined || output === undefined) throw new RowmillError('USAGE', 'which files? Give IN and OUT')
    return beginRun(input, output, options)
  },
}

async function beginRun(input: string, output: string, options: RunValues): Promise<number> {
  const jobOptions = checkOptions(input, output, options)
  const sink = sinkOf(output, { ...options, resumable: input !== '-' })
  try {
    if (sink instanceof FileSink) await sink.reserve()
    const state = output === '-' || input === '-' ? null : new RunStateFile<RunValues>(output)
    if (state?.exists) {
      if (!options.restart) throw unfinishedBefore(output)
      await state.remove()
    }
    if (sink instanceof FileSink && !options.restart && (await sink.isUnfinished())) throw collectedBefore(output)
    return await act({ input, output, options, jobOptions, sink, state, unfinished: null })
  } finally {
    await sink.close()
  }
}

async function resumeRun(output: string, operands: (string | undefined)[], given: RunValues): Promise<number> {
  if (operands.some(operand => operand !== undefined))
    throw new RowmillError('USAGE', '--resume OUT goes on with a run: leave out IN and OUT')
  const state = new RunStateFile<RunValues>(output)
  const { job, pipeline, sourceDigest = null, folder, input, options: begun } = await state.read()
  const options: RunValues = { ...begun }
  for (const name of OPTION_NAMES) {
    const { flag, fallback } = OPTIONS[name]
    const said = JSON.stringify(given[name]) !== JSON.stringify(fallback)
    if (said && FREE_WHEN_RESUMED.has(name)) Object.assign(options, { [name]: given[name] })
    else if (said && JSON.stringify(withoutSecrets(given)[name]) !== JSON.stringify(begun[name]))
      throw new RowmillError('USAGE', `--${flag}: --resume goes on as the run was begun, leave the option out`)
  }
  // What run.json does not keep: user and password come from the environment again, or from the file.
  if (given.schemaRegistry !== null && holdsCredentials(given.schemaRegistry))
    Object.assign(options, { schemaRegistry: given.schemaRegistry, schemaRegistryUserinfoFile: null })
  const terminal = new Terminal(options)
  if (await finishCommit(output, job)) {
    await state.remove()
    terminal.say(`${output} is complete already`)
    return 0
  }
  const path = resolve(output)
  if (existsSync(path) && !begun.force) throw notOfRun(output)
  const { classifier, python } = begun
  const by = moduleTarget(classifier!) ? 'this Node' : `the interpreter ${python}`
  terminal.say(`resuming with the classifier ${classifier}, given in ${folder}, run by ${by}`)
  process.chdir(folder)
  const sink = sinkOf(path, { ...options, restart: false }) as FileSink
  try {
    await sink.reserve()
    const jobOptions = checkOptions(input, path, options)
    return await act({
      input,
      output: path,
      options,
      jobOptions,
      sink,
      state,
      unfinished: { job, pipeline, sourceDigest },
    })
  } finally {
    await sink.close()
  }
}

/** The options as run.json keeps them: user and password of the schema registry are in no file of rowmill's. */
function withoutSecrets(options: RunValues): RunValues {
  const { schemaRegistry } = options
  return { ...options, schemaRegistry: schemaRegistry === null ? null : withoutCredentials(schemaRegistry) }
}

interface RunParts {
  readonly input: string
  readonly output: string
  readonly options: RunValues
  readonly jobOptions: readonly JobOption[]
  readonly sink: FileSink | StdoutSink
  /** Null where the run cannot be gone on with: a standard stream at one end. */
  readonly state: RunStateFile<RunValues> | null
  readonly unfinished: UnfinishedRun | null
}

async function act({ input, output, options, jobOptions, sink, state, unfinished }: RunParts): Promise<number> {
  const terminal = new Terminal(options)
  const say = (message: string) => terminal.say(message)
  const limits = new Limits('before the job was complete', options.timeout)
  let kept = unfinished !== null
  const onBegin = (run: UnfinishedRun) =>
    state!.write({ ...run, folder: process.cwd(), input: resolve(input), options: withoutSecrets(options) })
  const onOpen = async (run: UnfinishedRun) => {
    await onBegin(run) // by now with the digest of its source
    kept = true
  }
  try {
    const { readCsv, delimiter, indexKind } = options
    const report = await run({
      source: new CsvSource({ path: input, readCsv, delimiter, indexKind, say }),
      sink,
      classifier: options.classifier!,
      python: options.python,
      workers: options.workers,
      batchRows: options.batchRows,
      batchTimeout: options.batchTimeout,
      classifierMemory: options.classifierMemory,
      partitions: options.partitions,
      brokers: options.brokers,
      brokerTimeout: options.brokerTimeout,
      compression: options.compression,
      brokerData: state?.brokerData ?? null,
      pipeline: options.pipeline,
      schemaRegistry: await registryUrl(options),
      job: options.job,
      unfinished,
      options: jobOptions,
      signal: limits.signal,
      say,
      ...(state ? { onBegin, onOpen } : {}),
      onOutput: text => terminal.output(text),
      onProgress: progress => terminal.progress(progress),
    })
    terminal.close()
    crashPoint('run-complete')
    await state?.remove()
    // Killed before, the run finds out by the proof that it was complete; another run of OUT may hold the lock by now.
    if (state) await forgetCommit(output, report.job).catch(() => {})
    await tellReport(report, options, terminal)
    return report.rejects === 0 ? 0 : COMPLETE_WITH_REJECTS
  } catch (error) {
    const again = ['rowmill', 'run', '--resume', output]
    if (kept && leavesJob(error)) throw withResumeCommand(error, again)
    if (kept && isCurable(error)) throw withCure(error, again)
    if (unfinished && isOfOtherInput(error)) throw withResumeCommand(error, again)
    if (unfinished && toRowmillError(error).code === 'USAGE') throw error // it was not resumed, so it stays as it was
    if (!isOfOutput(error)) await discard(sink, state)
    // Before there is a job the same command begins anew.
    throw state && BEFORE_JOB.includes(toRowmillError(error).code)
      ? withResumeCommand(error, ['rowmill', ...process.argv.slice(2)])
      : error
  } finally {
    terminal.close()
    limits.close()
  }
}

/** What nobody can go on with is in the way of the next run. */
async function discard(sink: FileSink | StdoutSink, state: RunStateFile<RunValues> | null): Promise<void> {
  await sink.close()
  if (sink instanceof FileSink) await sink.discard()
  await state?.remove()
}

function sinkOf(
  output: string,
  options: Pick<RunValues, 'force' | 'restart' | 'python' | 'toCsv'> & { resumable?: boolean },
): FileSink | StdoutSink {
  const { force, restart, python, toCsv, resumable = true } = options
  if (output === '-') return new StdoutSink()
  const compression = { value: toCsv['compression'] }
  return new FileSink({ path: output, force, restart, resumable, keepsProof: resumable, python, compression })
}

function notOfRun(output: string): RowmillError {
  const message =
    `${output} exists, and is not what the unfinished run wrote: it was changed, or somebody else made it. ` +
    'Move it away, then give this command again'
  return new RowmillError('OUTPUT_EXISTS', message, { path: output })
}

function unfinishedBefore(output: string): RowmillError {
  const message = `${stateFolder(output)} holds an unfinished run. Go on with it, or throw it away with --restart`
  const error = new RowmillError('OUTPUT_UNUSABLE', message, { path: output })
  return withResumeCommand(error, ['rowmill', 'run', '--resume', output])
}

function collectedBefore(output: string): RowmillError {
  const message = `${stateFolder(output)} holds an unfinished job of rowmill collect: go on with that, or throw it away with --restart`
  return new RowmillError('OUTPUT_UNUSABLE', message, { path: output })
}

/** Everything that can be wrong with a command line, before anything starts; returns what goes into the job record. */
function checkOptions(input: string, output: string, options: RunValues): JobOption[] {
  if (options.classifier === null) {
    throw new RowmillError(
      'USAGE',
      'which classifier? Give --classifier FILE[:NAME]; rowmill run --help shows an example',
    )
  }
  if (options.job !== null) checkName('--job', options.job)
  if (options.pipeline !== null) checkName('--pipeline', options.pipeline)
  if (options.report !== null && !existsSync(dirname(options.report))) {
    const message = `--report ${options.report}: the folder does not exist, create it first`
    throw new RowmillError('USAGE', message, { path: options.report })
  }
  if (input !== '-' && output !== '-' && sameFile(input, output)) {
    throw new RowmillError('USAGE', `IN and OUT are the same file, ${input}: choose another OUT`, { path: input })
  }
  const { compression } = options.toCsv
  if (output === '-' && typeof compression !== 'undefined' && compression !== null && compression !== 'infer') {
    const message =
      '--to-csv compression: standard output is not packed, by pandas neither. Leave it out and pipe OUT on'
    throw new RowmillError('USAGE', message)
  }
  return jobOptions(options)
}

function sameFile(a: string, b: string): boolean {
  try {
    const [first, second] = [statSync(realpathSync(a)), statSync(realpathSync(b))]
    return first.dev === second.dev && first.ino === second.ino
  } catch {
    return false // one of them is not there
  }
}

async function tellReport(report: RunReport, options: RunValues, terminal: Terminal): Promise<void> {
  const { rows, rejects, seconds, startSeconds, rowsByWorker } = report
  const rowsPerSecond = seconds > 0 ? Math.round(rows / seconds) : 0
  terminal.say(
    `${rows} rows in ${seconds.toFixed(1)} s (${startSeconds.toFixed(1)} s to start), ${rowsPerSecond} rows/s`,
  )
  if (rejects > 0) terminal.say(`  ${rejects} rows were rejected, within --max-rejects ${options.maxRejects}`)
  for (const row of report.rejected.slice(0, REJECTS_SAID))
    terminal.say(`    ${nameOf(row)}: ${row.reason} ${row.detail.split('\n', 1)[0]}`)
  if (rejects > REJECTS_SAID)
    terminal.say(`    and more: ${options.report ?? '--report FILE.json'} has the first ${Math.min(rejects, 100)}`)
  for (const [worker, count] of Object.entries(rowsByWorker).sort()) terminal.say(`  ${worker}: ${count} rows`)
  if (!options.report) return
  const whole = { rowmill: version(), node: process.versions.node, rowsPerSecond, ...report }
  await writeFile(options.report, `${JSON.stringify(whole, null, 2)}\n`).catch(cause => {
    const message = `OUT is complete, but the report could not be written to ${options.report}: ${cause.message}`
    throw new RowmillError('OUTPUT_FAILED', message, { path: options.report }, { cause })
  })
}
