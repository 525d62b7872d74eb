import { hostname } from 'node:os'
import { checkName } from '../../core/names.ts'
import { RowmillError } from '../../errors.ts'
import { jobsDoneBefore, namedJobs, removeJobs } from '../../jobs/remove-jobs.ts'
import { requireShortening, shortenJobLog } from '../../jobs/shorten-job-log.ts'
import { describeKafkaError } from '../../kafka/index.ts'
import type { Job } from '../../model.ts'
import type { OptionValues } from '../../options.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { counted } from '../../support/counted.ts'
import { defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { onFoundPipeline, SHARED_OPTIONS } from '../shared-pipeline.ts'
import { print } from '../standard-output.ts'

const REMOVED = {
  line: 'each job that is removed',
  fields: {
    job: 'its id',
    state: 'its state before: open, ended, failed or cancelled',
    at: 'when its state last changed before, in ISO 8601',
    removed: 'whether it is removed now; false with --dry-run',
  },
}

type Chosen = OptionValues<'forceRemoval' | 'doneBefore' | 'dryRun' | 'output'>

export const jobsRemoveCommand = defineCommand({
  name: 'jobs rm',
  doc: 'remove jobs that are over, so that workers and commands forget them and the topic of jobs stays short',
  operands: [{ name: 'JOB...', doc: 'job ids; leave out with --done-before', optional: true }],
  example: 'rowmill jobs rm --done-before 30d --brokers 127.0.0.1:9092',
  options: ['doneBefore', 'dryRun', 'forceRemoval', 'output', ...SHARED_OPTIONS],
  json: REMOVED,
  async act(operands, options) {
    const ids = operands.filter(id => id !== undefined)
    for (const id of ids) checkName('JOB', id)
    if (ids.length > 0 === (options.doneBefore !== null))
      throw new RowmillError('USAGE', 'which jobs? Give either the ids of jobs, or --done-before AGE')
    await onFoundPipeline('jobs rm', options, {
      when: 'before all jobs were removed. The same command removes the others',
      act: context => remove(context, ids, options),
    })
    return 0
  },
})

async function remove(context: PipelineContext, ids: readonly string[], options: Chosen): Promise<void> {
  const { doneBefore, dryRun, forceRemoval } = options
  const jobs =
    doneBefore === null
      ? await namedJobs(context, ids, forceRemoval)
      : await jobsDoneBefore(context, { time: Date.now() - doneBefore, force: forceRemoval })
  const known = new Set(jobs.map(({ id }) => id))
  for (const id of ids) if (!known.has(id)) context.say(`job ${id} was removed before`, { job: id })
  if (dryRun) {
    printRemoved(jobs, options)
    context.say(`${counted(jobs.length, 'job')} would be removed`)
    return
  }
  await requireShortening(context, jobs) // all or nothing, if a right is missing
  await removeJobs(context, jobs, { by: 'jobs rm', who: `rowmill jobs rm on ${hostname()}` })
  printRemoved(jobs, options)
  context.say(`${counted(jobs.length, 'job')} removed`)
  await shorten(context)
}

function printRemoved(jobs: readonly Job[], { output, dryRun }: Chosen): void {
  const lines = jobs.map(({ id, state, at }) => ({ job: id, state, at: new Date(at).toISOString(), removed: !dryRun }))
  if (output === 'json') printJson(REMOVED, lines)
  else print(jobs.map(({ id }) => `${id}\n`).join(''))
}

/** The jobs are removed already. A cluster that deletes no records ends nothing: the next `jobs rm` tries again. */
async function shorten(context: PipelineContext): Promise<void> {
  const { topic } = context.jobs
  try {
    const gone = await shortenJobLog(context, Date.now())
    if (gone > 0) context.say(`${counted(gone, 'record')} deleted from ${topic}`)
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof RowmillError) throw error
    context.say(`the broker refuses to delete old records of ${topic}: ${describeKafkaError(error).text}`, {
      level: 'warn',
      topic,
    })
  }
}
