import { writeFile } from 'node:fs/promises'
import { OutputFormat } from '../../../connectors/csv/output-format.ts'
import { checkOutput } from '../../../connectors/file/output-path.ts'
import { hasFailed, jsonOptionOf } from '../../core/job.ts'
import { RowmillError } from '../../errors.ts'
import { findRejects, type OpenReject } from '../../jobs/find-rejects.ts'
import { findRejectsOfNoJob } from '../../jobs/rejects-of-no-job.ts'
import { reopen } from '../../jobs/reopen.ts'
import type { Job, Rejected } from '../../model.ts'
import { methodOf } from '../../pandas/packing.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { printable } from '../../support/printable.ts'
import type { CommandSpec } from '../command.ts'
import { onFoundPipeline, requireJob } from '../shared-pipeline.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'id',
  'force',
  'timeout',
  'quiet',
] as const

interface Target {
  readonly out: string
  readonly force: boolean
}

const ACTIONS = {
  list: listRejects,
  export: exportRejects,
  replay: replayRejects,
} satisfies Record<string, (context: PipelineContext, job: string, to: Target) => Promise<void>>

export const rejectsCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'rejects',
  doc:
    'the rows of one job that have no result: list them, export them as CSV, or have them classified again; ' +
    'list without --job: the messages that are of no job',
  operands: [
    { name: 'ACTION', doc: 'list, export or replay' },
    { name: 'OUT', doc: 'export: the file to write (default: standard output)', optional: true },
  ],
  example: 'rowmill rejects list --job "$JOB" --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act([action, given], options) {
    if (!Object.hasOwn(ACTIONS, action!))
      throw new RowmillError('USAGE', `rejects ${action}: unknown. It must be list, export or replay`)
    if (given !== undefined && action !== 'export') throw new RowmillError('USAGE', `rejects ${action} writes no OUT`)
    if (options.id === null && action === 'list') {
      await onFoundPipeline('rejects', options, { when: 'before it was done', act: listRejectsOfNoJob })
      return 0
    }
    const job = requireJob(options.id)
    const out = given ?? '-'
    const method = out === '-' ? null : methodOf(out)
    if (method !== null)
      throw new RowmillError(
        'USAGE',
        `rejects export writes plain text, and ${out} is the name of a packed file (${method}): choose another OUT`,
      )
    if (out !== '-') await checkOutput(out, options.force)
    await onFoundPipeline('rejects', options, {
      when: 'before it was done',
      act: context => ACTIONS[action as keyof typeof ACTIONS](context, job, { out, force: options.force }),
    })
    return 0
  },
}

async function listRejects(context: PipelineContext, id: string): Promise<void> {
  const { rejected } = await read(context, id)
  if (rejected.length === 0) return
  const lines = rejected.map(({ seq, partition, position, line, reason, detail }) =>
    [seq ?? `${partition}@${position}`, line ?? '', reason, oneLine(detail)].join('\t'),
  )
  process.stdout.write(`row\tline\treason\tdetail\n${lines.join('\n')}\n`)
}

/** What has no place in any job's results: nothing can replay it, and only the topic `rejects` tells of it. */
async function listRejectsOfNoJob(context: PipelineContext): Promise<void> {
  const found = await findRejectsOfNoJob(context)
  context.say(`${found.length} rejects of no job in pipeline ${context.pipeline}; those of a job: give --job`)
  if (found.length === 0) return
  const lines = found.map(({ topic, partition, offset, reason, detail }) =>
    [`${topic}[${partition}]@${offset}`, reason, oneLine(detail)].join('\t'),
  )
  process.stdout.write(`message\treason\tdetail\n${lines.join('\n')}\n`)
}

async function exportRejects(context: PipelineContext, id: string, { out, force }: Target): Promise<void> {
  const { job, rejected } = await read(context, id)
  const text = csvOf(job, rejected)
  if (out === '-') process.stdout.write(text)
  else
    await writeFile(out, text, { flag: force ? 'w' : 'wx' }).catch(cause => {
      throw new RowmillError('OUTPUT_FAILED', `cannot write ${out}: ${cause.message}`, { path: out }, { cause })
    })
}

async function replayRejects(context: PipelineContext, id: string): Promise<void> {
  const reopened = await reopen(context, id, 'rejects replay')
  if (!reopened) return context.say(`job ${id} is complete and has no rejects: there is nothing to replay`)
  const { job, rejects } = reopened
  const what = job.state === 'ended' ? `${rejects} rejects` : `${rejects} rejects so far, and the rows behind them,`
  context.say(
    `job ${id}, attempt ${job.attempt}: ${what} are classified again by the workers of pipeline ${context.pipeline}. ` +
      'One that runs since before the classifier was repaired has the old one: then start rowmill work again',
  )
  if (job.state === 'open') context.say(`its rows are not all published: rowmill publish IN --job ${id} goes on`)
}

async function read(context: PipelineContext, id: string): Promise<{ job: Job; rejected: readonly OpenReject[] }> {
  const job = await context.jobs.latest(id)
  if (!job)
    throw new RowmillError('USAGE', `no job ${id} in pipeline ${context.pipeline}: give --job as publish printed it`)
  const { rejected, complete } = await findRejects(context, job)
  context.say(`${rejected.length} rejects of job ${id}${complete ? '' : ` so far: ${whyMoreMayCome(job)}`}`)
  return { job, rejected }
}

function whyMoreMayCome(job: Job): string {
  if (hasFailed(job))
    return `it ${job.state === 'failed' ? 'failed' : 'was cancelled'} before all its rows were classified`
  if (job.bounded || job.state === 'ended') return 'not all of its rows are classified yet'
  return 'it is a job of events, and more may come'
}

/** The rows as they stood in the source, under its header: a file for rowmill itself. */
function csvOf({ columns, options }: Job, rejected: readonly Rejected[]): string {
  const { sep } = jsonOptionOf({ options }, 'readCsv', '{}')
  const toCsv = JSON.stringify({ header: true, sep: typeof sep === 'string' && sep.length === 1 ? sep : ',' })
  const quoting = { name: 'quotesCarriageReturn', value: 'true' }
  const format = new OutputFormat({ columns, options: [{ name: 'toCsv', value: toCsv }, quoting] })
  return format.headerLine + format.lines(rejected.map(({ values }) => values))
}

/** What it was; the traceback stands below. */
function oneLine(detail: string): string {
  return printable(detail.split('\n', 1)[0]!.replaceAll('\t', ' '))
}
