import { basename, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RowmillError } from '../errors.ts'
import type { ClientInput } from '../options.ts'
import { isAlive } from '../support/process-identity.ts'
import { commandLine } from '../support/shell.ts'
import { type FoundRun, findRuns, isRunning, LOOK_MS, lookAgain, ofNote, runOf } from './found-run.ts'
import { readKafkaOptions } from './kafka-options.ts'
import { type NotedCommand, notedCommands } from './noted-commands.ts'
import type { SharedOptions } from './shared-pipeline.ts'

/** The pipeline that the user means. */
export interface FoundPipeline {
  readonly pipeline: string
  /** How to reach its brokers. Null: it is that of a run whose local broker is not there, not yet or no longer. */
  readonly cluster: readonly ClientInput[] | null
  /** Null: all jobs. */
  readonly job: string | null
  /** The run that the pipeline belongs to. Null: it is shared. */
  readonly run: FoundRun | null
  /** What else of this user runs, which somebody who named nothing might mean: the command that shows it, for each. */
  readonly others: readonly string[]
}

/**
 * The pipeline of the options; or that of the run that writes the file `word`; or without any broker that of the latest run of this
 * user. `word` may also be the id of a job. Throws USAGE if it finds no pipeline.
 */
export async function findPipeline(
  command: string,
  options: SharedOptions,
  word: string | null,
): Promise<FoundPipeline> {
  const hasBrokers = (await readKafkaOptions(options, () => {})).kafka !== null // whoever connects reads them again, and logs
  const given = { pipeline: options.sharedPipeline, cluster: options.property, others: [] }
  const named = word === null ? null : await runOf(word)
  if (named !== null) return ofRun(named, hasBrokers ? options.property : named.cluster)
  const notes = await notedCommands()
  const writer = word === null ? null : notes.find(({ output }) => output === (word === '-' ? word : resolve(word)))
  if (writer?.command === 'collect') return ofShared(writer, hasBrokers ? options.property : writer.cluster)
  if (writer) return ofRun(ofNote(writer), hasBrokers ? options.property : writer.cluster)
  if (hasBrokers) return { ...given, job: word, run: null }
  const runs = await findRuns(undefined, undefined, notes)
  const shared = sharedPipelines(notes).filter(({ job }) => word === null || job === word)
  const run = runs.find(({ job }) => word === null || job === word)
  const isFirst = run !== undefined && (isRunning(run) || shared.length === 0)
  if (!isFirst && shared.length === 0) throw foundNone(command, word)
  const others = [
    ...runs
      .filter(other => (isFirst ? other !== run && isRunning(other) : isRunning(other) || other === run))
      .map(({ output }) => commandLine(['rowmill', command, output])),
    ...shared.slice(isFirst ? 0 : 1).map(note => showing(command, note)),
  ]
  const found = isFirst ? ofRun(run, run.cluster) : { ...ofShared(shared[0]!, shared[0]!.cluster), job: word }
  return { ...found, others: word === null ? others : [] }
}

/** The latest command of each pipeline that others use too: one that writes a file before one that classifies. */
function sharedPipelines(notes: readonly NotedCommand[]): NotedCommand[] {
  const alive = notes.filter(({ command, process }) => command !== 'run' && isAlive(process))
  const unique = Map.groupBy(alive, ({ pipeline, cluster }) => JSON.stringify([pipeline, cluster]))
  return [...unique.values()].map(same => same.find(({ command }) => command === 'collect') ?? same[0]!)
}

function ofShared({ pipeline, job }: NotedCommand, cluster: readonly ClientInput[]): FoundPipeline {
  return { pipeline, cluster, job, run: null, others: [] }
}

/** The command that shows a pipeline that others use too. */
function showing(command: string, { pipeline, cluster }: NotedCommand): string {
  const at = cluster.flatMap(input => {
    if ('file' in input) return ['--command-config', input.file]
    return input.name === 'bootstrap.servers' ? ['--brokers', input.value] : ['-X', `${input.name}=${input.value}`]
  })
  return commandLine(['rowmill', command, '--pipeline', pipeline, ...at])
}

/** The options with the pipeline that was found. Throws BROKER_UNREACHABLE if its brokers ended with the run. */
export function optionsOf<O extends SharedOptions>(options: O, { pipeline, cluster, run }: FoundPipeline): O {
  if (cluster !== null) return { ...options, sharedPipeline: pipeline, property: cluster }
  const { output, resume } = run!
  const how = `it was interrupted${resume === null ? '' : `. To resume it: ${resume}`}`
  throw new RowmillError('BROKER_UNREACHABLE', `the local Kafka of the run of ${output} is not there: ${how}`)
}

/** The pipeline of a run as it is a moment later. Null: the run is over. Throws the reason of `signal`. */
export async function foundAgain(
  found: FoundPipeline & { readonly run: FoundRun },
  signal: AbortSignal,
): Promise<FoundPipeline | null> {
  await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  const run = await lookAgain(found.run)
  return run === null ? null : { ...found, run, cluster: run.cluster }
}

function ofRun(run: FoundRun, cluster: FoundPipeline['cluster']): FoundPipeline {
  const { pipeline, job } = run
  return { pipeline, cluster, job, run, others: [] }
}

function foundNone(command: string, word: string | null): RowmillError {
  const what =
    word === null
      ? 'no run, collect or work of this user is found on this machine'
      : `${word} is neither the OUT of a run or collect that is not complete, nor the id of its job`
  const cure = `Give --brokers HOST:PORT for a pipeline of yours, or name the OUT of a run: rowmill ${command} ${word === null ? 'OUT' : `FOLDER/${basename(word)}`}`
  return new RowmillError('USAGE', `${what}. ${cure}`)
}
