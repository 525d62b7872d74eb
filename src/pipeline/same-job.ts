/** Whether an existing job is the one that a publisher, a producer or `jobs open` wants to continue. */
import type { SourceHeader } from '../connector.ts'
import { hasFailed, jobFailure } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import { RowmillError } from '../errors.ts'
import { type Job, type JobOption, optionOf } from '../model.ts'
import { counted } from '../support/counted.ts'
import { describeOtherSource, SOURCE_DIGEST } from './source-identity.ts'

/** The parts of a job that never change. */
export type JobHeader = Pick<Job, 'columns' | 'indexKind' | 'options'>

/** No user chose this option: it comes from the Python of the machine that began the job, and never changes. */
const FOUND_OUT = 'quotesCarriageReturn'

/** The option with what pandas made of the whole file (`--read`). */
const RECIPE = 'recipe'

/**
 * Throws JOB_EXISTS unless the job was begun with this file and these options, and INPUT_CHANGED if pandas reads the file
 * otherwise now.
 */
export function checkSameFile(
  job: Job,
  header: SourceHeader,
  { pipeline, options }: { pipeline: string; options: readonly JobOption[] },
): void {
  const refuse = refusalOf(job, pipeline, 'choose another --job')
  if (isRemoved(job)) throw refuse('and was removed')
  if (!job.bounded) throw refuse('for events')
  if (!job.source || !header.identity) throw refuse('and input that is read only once cannot be resumed')
  const other = describeOtherSource({ ...job, source: job.source }, { ...header, source: header.identity })
  if (other) throw refuse(other)
  const now = withIndexKind({ ...header, options: [...header.options, ...options] })
  const others = differing(withIndexKind(job), now, SOURCE_DIGEST) // the digest was compared with the source
  if (others.join() === RECIPE) throw readOtherwise(job)
  if (others.length > 0) throw refuse(`begun with other options (${others.join(', ')})`)
}

function readOtherwise({ id }: Job): RowmillError {
  const message =
    `job ${id} was begun with the same file, but pandas reads it otherwise now: other dtypes, or another index. ` +
    'Use the Python and the classifier that it was begun with, or choose another --job'
  return new RowmillError('INPUT_CHANGED', message, { job: id, begunWith: RECIPE })
}

/**
 * Throws unless a producer that would have begun the job as `wanted` can continue it. Throws JOB_EXISTS for another
 * job, for other columns or options, and for a job that has ended. Throws the failure of a job that failed.
 */
export function checkSameProducer(job: Job, wanted: Job, pipeline: string): void {
  const refuse = refusalOf(job, pipeline, 'choose another id')
  if (isRemoved(job)) throw refuse('and was removed')
  if (job.bounded) throw refuse('with the rows of a file')
  if (!job.sequenced) throw refuse('for events without sequence, which no producer holds')
  const difference = describeDifference(job, wanted)
  if (difference) throw refuse(difference)
  if (hasFailed(job)) throw jobFailure(job)
  if (job.state === 'ended')
    throw refuse(`and has ended${job.total === null ? '' : ` with ${counted(job.total, 'row')}`}`)
}

/** Throws JOB_EXISTS unless the job was opened for events without sequence, with these columns and options. */
export function checkSameUnsequenced(job: Job, header: JobHeader, pipeline: string): void {
  const refuse = refusalOf(job, pipeline, 'choose another --job')
  if (isRemoved(job)) throw refuse('and was removed')
  if (job.bounded) throw refuse('with the rows of a file')
  if (job.sequenced) throw refuse('with events of a program that numbers them')
  const difference = describeDifference(job, header)
  if (difference) throw refuse(difference)
}

function refusalOf({ id, state }: Job, pipeline: string, cure: string): (why: string) => RowmillError {
  return why => {
    const message = `job ${id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, ${cure}`
    return new RowmillError('JOB_EXISTS', message, { job: id, state })
  }
}

function describeDifference(begun: JobHeader, now: JobHeader): string | null {
  const [before, given] = [JSON.stringify(begun.columns), JSON.stringify(now.columns)]
  if (before !== given) return `begun with other columns: ${before}, and these are ${given}`
  const [was, is] = [withIndexKind(begun), withIndexKind(now)]
  const changes = differing(was, is, FOUND_OUT).map(
    name => `${name} was ${optionOf(was, name) ?? 'not given'}, now ${optionOf(is, name) ?? 'not given'}`,
  )
  return changes.length > 0 ? `begun with other options (${changes.join('; ')})` : null
}

function withIndexKind({ options, indexKind }: Pick<JobHeader, 'options' | 'indexKind'>): JobOption[] {
  return [...options, { name: 'indexKind', value: `${indexKind}` }]
}

/** The names of the options that differ, except one. */
function differing(before: readonly JobOption[], now: readonly JobOption[], except: string): string[] {
  const names = new Set([...before, ...now].map(({ name }) => name))
  names.delete(except)
  return [...names].filter(name => optionOf(before, name) !== optionOf(now, name))
}
