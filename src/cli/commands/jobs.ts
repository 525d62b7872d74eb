import { hostname } from 'node:os'
import { hasFailed, jobFailure } from '../../core/job.ts'
import { checkName } from '../../core/names.ts'
import { RowmillError } from '../../errors.ts'
import { openUnsequenced } from '../../events/unsequenced-job.ts'
import { cancelJob } from '../../jobs/cancel-job.ts'
import { progressOf } from '../../jobs/job-progress.ts'
import { listJobs } from '../../jobs/list-jobs.ts'
import type { OptionValues } from '../../options.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { newJobId } from '../../pipeline/new-job-id.ts'
import { unlessAborted } from '../../support/abort.ts'
import type { CommandSpec } from '../command.ts'
import { unsequencedHeader } from '../event-header.ts'
import { describeJobs, jobLine, type ListedJob } from '../job-table.ts'
import { Limits } from '../limits.ts'
import { onFoundPipeline, openSharedPipeline, requireJob } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'id',
  'columns',
  'indexKind',
  'cast',
  'eventMaxRejects',
  'header',
  'readCsv',
  'toCsv',
  'python',
  'listFormat',
  'timeout',
  'quiet',
] as const

type Options = OptionValues<(typeof OPTION_NAMES)[number]>

const ACTIONS = { open, list, cancel } satisfies Record<string, (options: Options) => Promise<void>>

export const jobsCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'jobs',
  doc: 'the jobs of a pipeline: list them, cancel one, or open one for events, of which its id stands alone on stdout',
  operands: [{ name: 'ACTION', doc: 'open, list or cancel' }],
  example: 'rowmill jobs open --job orders --columns SKU,TEXT --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act([action], options) {
    if (!Object.hasOwn(ACTIONS, action!))
      throw new RowmillError('USAGE', `jobs ${action}: unknown. It must be open, list or cancel`)
    if (options.columns !== null && action !== 'open')
      throw new RowmillError('USAGE', `jobs ${action} takes no --columns: jobs open does`)
    await ACTIONS[action as keyof typeof ACTIONS](options)
    return 0
  },
}

async function open(options: Options): Promise<void> {
  const id = options.id ?? newJobId()
  checkName('--job', id)
  const terminal = new Terminal({ quiet: options.quiet, progress: false })
  const say = (message: string) => terminal.say(message)
  const limits = new Limits('before the job was open', options.timeout)
  try {
    const header = { id, ...(await unsequencedHeader(options, say)) }
    const shared = await openSharedPipeline('jobs', options, { say })
    const { kafka, pipeline, partitions } = shared
    const jobs = await shared.openJobs(say, limits.signal)
    try {
      const context = { kafka, pipeline, jobs, say, signal: limits.signal }
      const opening = openUnsequenced(context, header, { partitions, by: 'jobs open' })
      const isNew = await unlessAborted(opening, limits.signal)
      say(
        isNew ? `job ${id} is open in pipeline ${pipeline}: ${howToSend(header.columns)}` : `job ${id} is open already`,
      )
      process.stdout.write(`${id}\n`)
    } finally {
      await Promise.all([jobs.close(), shared.close()])
    }
  } finally {
    limits.close()
  }

  function howToSend(columns: readonly string[]): string {
    const values = Object.fromEntries(columns.map(column => [column, '...']))
    return `one message a row to ${options.sharedPipeline}.rows, such as ${JSON.stringify({ job: id, values })}`
  }
}

async function list(options: Options): Promise<void> {
  const { id } = options
  if (id !== null) checkName('--job', id)
  const act = async (context: PipelineContext): Promise<ListedJob[]> => {
    const all = await listJobs(context)
    const jobs = id === null ? all : all.filter(job => job.id === id)
    if (id !== null && jobs.length === 0)
      throw new RowmillError('USAGE', `no job ${id} in pipeline ${context.pipeline}: rowmill jobs list names them`)
    const progress = await progressOf(context, jobs)
    return jobs.map(job => ({ job, progress: progress.get(job.id) ?? null }))
  }
  const jobs = await onFoundPipeline('jobs', options, { when: 'before all jobs were read', act })
  if (options.listFormat === 'json') process.stdout.write(jobs.map(job => `${JSON.stringify(jobLine(job))}\n`).join(''))
  else process.stdout.write(describeJobs(jobs, Date.now()))
}

async function cancel(options: Options): Promise<void> {
  const id = requireJob(options.id)
  await onFoundPipeline('jobs', options, {
    when: 'before the job was cancelled',
    act: async context => {
      const who = { by: 'jobs cancel', who: `rowmill jobs cancel on ${hostname()}` }
      const { job, was } = await cancelJob(context, id, who)
      if (was === 'complete') context.say(`job ${id} is complete: there is nothing to cancel`)
      else if (was === 'over')
        context.say(`job ${id} is over already: ${hasFailed(job) ? jobFailure(job).message : job.state}`)
      else context.say(`job ${id} is cancelled: workers pass over its rows, and its publisher and its readers end`)
    },
  })
}
