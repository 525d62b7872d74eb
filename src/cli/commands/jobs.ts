import { hostname } from 'node:os'
import { hasFailed, jobFailure } from '../../core/job.ts'
import { checkName } from '../../core/names.ts'
import { isRemoved } from '../../core/removed-job.ts'
import { RowmillError } from '../../errors.ts'
import { openUnsequenced } from '../../events/unsequenced-job.ts'
import { cancelJob } from '../../jobs/cancel-job.ts'
import { progressOf } from '../../jobs/job-progress.ts'
import { listJobs } from '../../jobs/list-jobs.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { newJobId } from '../../pipeline/new-job-id.ts'
import { unlessAborted } from '../../support/abort.ts'
import { type CommandSpec, defineCommand } from '../command.ts'
import { checkLike, headerOfLike, unsequencedHeader } from '../event-header.ts'
import { describeJobs, JOB_LINE, jobLine, type ListedJob } from '../job-table.ts'
import { printJson } from '../json-output.ts'
import { withinLimits } from '../limits.ts'
import { onFoundPipeline, onSharedPipeline, requireJob, SHARED_OPTIONS } from '../shared-pipeline.ts'
import { print } from '../standard-output.ts'

const OPENED = {
  line: 'the job',
  fields: { job: 'its id', pipeline: 'the pipeline it is in', isNew: 'false if it was open already' },
}

const openCommand = defineCommand({
  name: 'jobs open',
  doc: 'open a job for events; prints its id, and nothing else, on stdout',
  operands: [],
  example: 'rowmill jobs open --job orders --columns SKU,TEXT --brokers 127.0.0.1:9092',
  options: [
    'job',
    'columns',
    'like',
    'indexKind',
    'cast',
    'eventMaxRejects',
    'outputRows',
    'header',
    'readCsv',
    'toCsv',
    'python',
    'output',
    ...SHARED_OPTIONS,
  ],
  json: OPENED,
  async act(_, options) {
    const id = options.job ?? newJobId()
    checkName('--job', id)
    return await withinLimits(options, 'before the job was open', async session => {
      const { say } = session
      const given = options.like === null ? await unsequencedHeader(options, say) : null
      checkLike(options)
      const use = { command: 'jobs open', options, topics: {} }
      await onSharedPipeline(session, use, async (context, { partitions }) => {
        const { pipeline, signal } = context
        const header = { id, ...(given ?? (await headerOfLike(context, options))) }
        const opening = openUnsequenced(context, header, { partitions, by: 'jobs open' })
        const isNew = await unlessAborted(opening, signal)
        if (isNew)
          say(`job ${id} is open in pipeline ${pipeline}: ${howToSend(id, header.columns, pipeline)}`, { job: id })
        else say(`job ${id} is open already`, { job: id })
        if (options.output === 'json') printJson(OPENED, [{ job: id, pipeline, isNew }])
        else print(`${id}\n`)
      })
      return 0
    })
  },
})

function howToSend(job: string, columns: readonly string[], pipeline: string): string {
  const values = Object.fromEntries(columns.map(column => [column, '...']))
  return `send one message for each row to ${pipeline}.rows, such as ${JSON.stringify({ job, values })}`
}

const listCommand = defineCommand({
  name: 'jobs list',
  doc: 'list the jobs of a pipeline, each with its state and how many of its rows are classified',
  operands: [],
  example: 'rowmill jobs list --brokers 127.0.0.1:9092',
  options: ['only', 'output', ...SHARED_OPTIONS],
  json: JOB_LINE,
  async act(_, options) {
    const { only: id } = options
    if (id !== null) checkName('--job', id)
    const jobs = await onFoundPipeline('jobs list', options, {
      when: 'before all jobs were read',
      act: context => findJobs(context, id),
    })
    if (options.output === 'json') printJson(JOB_LINE, jobs.map(jobLine))
    else print(describeJobs(jobs, Date.now()))
    return 0
  },
})

async function findJobs(context: PipelineContext, id: string | null): Promise<ListedJob[]> {
  const all = await listJobs(context)
  const jobs = id === null ? all : all.filter(job => job.id === id)
  const removed = id !== null && jobs.length === 0 ? await context.jobs.get(id) : undefined
  if (removed && isRemoved(removed)) throw jobFailure(removed)
  if (id !== null && jobs.length === 0)
    throw new RowmillError('USAGE', `no job ${id} in pipeline ${context.pipeline}: rowmill jobs list names them`)
  const progress = await progressOf(context, jobs)
  return jobs.map(job => ({ job, progress: progress.get(job.id) ?? null }))
}

const CANCELLED = {
  line: 'the job',
  fields: {
    job: 'its id',
    outcome: 'cancelled, complete (so it was not cancelled) or over (it had failed or was cancelled before)',
    state: 'its state now: open, ended, failed or cancelled',
  },
}

const cancelCommand = defineCommand({
  name: 'jobs cancel',
  doc: 'cancel a job: workers skip its rows, and its publisher and readers end',
  operands: [],
  example: 'rowmill jobs cancel --job orders --brokers 127.0.0.1:9092',
  options: ['id', 'output', ...SHARED_OPTIONS],
  json: CANCELLED,
  async act(_, options) {
    const id = requireJob(options.id)
    await onFoundPipeline('jobs cancel', options, {
      when: 'before the job was cancelled',
      act: async context => {
        const who = { by: 'jobs cancel', who: `rowmill jobs cancel on ${hostname()}` }
        const { job, was } = await cancelJob(context, id, who)
        if (was === 'complete') context.say(`job ${id} is complete: there is nothing to cancel`)
        else if (was === 'over')
          context.say(`nothing to cancel: ${hasFailed(job) ? jobFailure(job).message : job.state}`)
        else context.say(`job ${id} is cancelled: workers skip its rows, and its publisher and readers end`)
        if (options.output === 'json') printJson(CANCELLED, [{ job: id, outcome: was, state: job.state }])
      },
    })
    return 0
  },
})

export const jobsCommands: readonly CommandSpec[] = [openCommand, listCommand, cancelCommand]
