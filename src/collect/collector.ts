import type { Sink } from '../connector.ts'
import { describeChanges } from '../core/whole-columns.ts'
import { RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { fitsJob, OrderedResults, staysRight } from '../results/ordered-results.ts'
import type { Collected, CollectOptions } from './collect-options.ts'
import { Collection, type NeededChanges, type PassOptions } from './collection.ts'
import { judgeFailure } from './judge-failure.ts'
import { type CollectorNote, changed, readNote } from './note.ts'

/**
 * Reads the results of one job, puts them in order and writes them to the sink. It resumes where an earlier collector of
 * the same job left the sink. It ends when every row is there: all ends of input agree and rows + rejects = total.
 *
 * Throws the failure of the job, ROW_GAP, ROW_MALFORMED, KIND_DRIFT, CLASSIFIER_MIXED, REJECTS_OVER_BUDGET, USAGE if
 * `follow` does not fit the job, or an error of the sink. It always closes the sink.
 */
export async function collect(context: PipelineContext, options: CollectOptions): Promise<Collected> {
  const { tracing = null } = context
  if (!tracing) return await collectRows(context, options)
  return await tracing.job({ action: 'collect', job: options.job }, async span => {
    const collected = await collectRows(context, options)
    const { rows, rejects, duplicates } = collected
    span.count({ rows, rejected: rejects, duplicates })
    return collected
  })
}

async function collectRows(context: PipelineContext, options: CollectOptions): Promise<Collected> {
  const { jobs, signal } = context
  const { sink } = options
  try {
    const before = readNote(await sink.open(), { pipeline: context.pipeline, job: options.job })
    const job = await jobs.found(options.job, signal)
    checkFollow(job, options)
    await sink.prepare?.(job.options)
    const note = await usable(context, before, { job, sink })
    const first = await pass(context, job, { ...options, note, changes: note?.changes ?? null })
    if (!isChanges(first)) return first
    context.say(describeChanges(first))
    await sink.restart()
    return (await pass(context, job, { ...options, note: null, changes: first.changes })) as Collected
  } finally {
    await sink.close()
  }
}

/** Writes all rows. Resolves with the changes for which they must be written again, if that showed only with later rows. */
async function pass(context: PipelineContext, job: Job, options: PassOptions): Promise<Collected | NeededChanges> {
  const { note, lookEveryMs } = options
  let collection: Collection | null = null
  const pauseMs = (bytes: number) => collection?.pauseMs(bytes) ?? 0
  const results = await OrderedResults.open(context, job, { checkpoint: note, lookEveryMs, pauseMs })
  try {
    collection = new Collection(context, results, options)
    options.onBegin?.(() => collection!.report)
    return await collection.run()
  } catch (error) {
    throw await judgeFailure(context, results, error)
  } finally {
    await results.close()
  }
}

function isChanges(outcome: Collected | NeededChanges): outcome is NeededChanges {
  return 'changes' in outcome
}

function checkFollow({ id, bounded, sequenced }: Job, { follow = false }: CollectOptions): void {
  const refuse = (why: string) => new RowmillError('USAGE', `job ${id} ${why}`, { job: id })
  if (follow && bounded) throw refuse('ends by itself: leave out --follow, and the output appears when it is complete')
  if (!follow && !sequenced) throw refuse('never ends: give --follow, and the output grows as its rows come')
}

/** A later attempt may have results for rows that are missing in the output. Then the output starts over. */
async function usable(
  { jobs, say }: PipelineContext,
  note: CollectorNote | null,
  { job, sink }: { job: Job; sink: Sink },
): Promise<CollectorNote | null> {
  if (note === null) return null
  if (!fitsJob(note.offsets, job)) throw changed()
  if (staysRight(note, job, jobs)) {
    say('seq' in note ? `resuming job ${job.id} at row ${note.seq}` : `resuming job ${job.id}`, { job: job.id })
    return note
  }
  say(`job ${job.id} was reopened for rows that are missing or wrong in the output, so the output starts over`, {
    level: 'warn',
    job: job.id,
  })
  await sink.restart()
  return null
}
