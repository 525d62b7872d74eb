import { basename } from 'node:path'
import { RowmillError } from '../errors.ts'
import type { ClientInput } from '../options.ts'
import { type FoundRun, findRuns, isRunning, runOf } from './found-run.ts'
import { readKafkaOptions } from './kafka-options.ts'
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
  /** The runs of this user besides that one, which somebody who named none might mean. */
  readonly others: readonly FoundRun[]
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
  if (hasBrokers) return { ...given, job: word, run: null }
  const runs = await findRuns()
  const run = runs.find(({ job }) => word === null || job === word)
  if (run === undefined) throw foundNone(command, word)
  const others = word === null ? runs.filter(other => other !== run && isRunning(other)) : []
  return { ...ofRun(run, run.cluster), others }
}

/** The options with the pipeline that was found. Throws BROKER_UNREACHABLE if its brokers are not there. */
export function optionsOf<O extends SharedOptions>(options: O, { pipeline, cluster, run }: FoundPipeline): O {
  if (cluster !== null) return { ...options, sharedPipeline: pipeline, property: cluster }
  const { output, resume } = run!
  const how = isRunning(run!) ? 'it is starting: try again in a moment' : `it was interrupted. To resume it: ${resume}`
  throw new RowmillError('BROKER_UNREACHABLE', `the local Kafka of the run of ${output} is not there: ${how}`)
}

function ofRun(run: FoundRun, cluster: FoundPipeline['cluster']): FoundPipeline {
  const { pipeline, job } = run
  return { pipeline, cluster, job, run, others: [] }
}

function foundNone(command: string, word: string | null): RowmillError {
  const what =
    word === null
      ? 'there is no run of this user that uses the kept Kafka, or that writes a file in this folder'
      : `${word} is neither the OUT of a run that is not complete, nor the id of its job`
  const cure = `Give --brokers HOST:PORT for a pipeline of yours, or name the OUT of a run: rowmill ${command} ${word === null ? 'OUT' : `FOLDER/${basename(word)}`}`
  return new RowmillError('USAGE', `${what}. ${cure}`)
}
