import { RowmillError } from './errors.ts'
import { hasFailed, jobFailure } from './jobs.ts'
import { type Job, type JobOption, optionOf } from './model.ts'

/**
 * Throws unless the job can be gone on with by a producer that would have begun it as `wanted`: JOB_EXISTS where it is
 * another job, was begun otherwise, or has ended, and what it failed with.
 */
export function checkJob(job: Job, wanted: Job, pipeline: string): void {
  const refuse = (why: string) => {
    const message = `job ${job.id} exists already in pipeline ${pipeline}, ${why}: a job id is used once, choose another id`
    return new RowmillError('JOB_EXISTS', message, { job: job.id, state: job.state })
  }
  if (job.bounded) throw refuse('with the rows of a file')
  if (!job.sequenced) throw refuse('for events without sequence, which no producer holds')
  const differing = describeDifference(job, wanted)
  if (differing) throw refuse(differing)
  if (hasFailed(job)) throw jobFailure(job)
  if (job.state === 'ended') throw refuse(`and has ended with ${job.total} rows`)
}

function describeDifference(job: Job, wanted: Job): string | null {
  const [begun, now] = [JSON.stringify(job.columns), JSON.stringify(wanted.columns)]
  if (begun !== now) return `begun with other columns: ${begun}, and these are ${now}`
  const names = new Set([...job.options, ...wanted.options].map(({ name }) => name))
  const others = [...names].filter(name => optionOf(job.options, name) !== optionOf(wanted.options, name))
  const texts = others.map(name => difference(name, job.options, wanted.options))
  if (job.indexKind !== wanted.indexKind) texts.push(`indexKind was ${job.indexKind}, now ${wanted.indexKind}`)
  return texts.length > 0 ? `begun with other options (${texts.join('; ')})` : null
}

function difference(name: string, before: readonly JobOption[], now: readonly JobOption[]): string {
  return `${name} was ${optionOf(before, name) ?? 'not given'}, now ${optionOf(now, name) ?? 'not given'}`
}
