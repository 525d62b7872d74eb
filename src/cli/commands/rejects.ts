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
import { type CommandSpec, defineCommand } from '../command.ts'
import { onFoundPipeline, requireJob, SHARED_OPTIONS } from '../shared-pipeline.ts'

const WHEN = 'before it was done'

const listCommand = defineCommand({
  name: 'rejects list',
  doc: 'list the rejected rows of a job, or without --job the messages that belong to no job',
  operands: [],
  example: 'rowmill rejects list --job "$JOB" --brokers 127.0.0.1:9092',
  options: ['rejectsOf', ...SHARED_OPTIONS],
  async act(_, options) {
    const job = options.rejectsOf === null ? null : requireJob(options.rejectsOf)
    const act = (context: PipelineContext) => (job === null ? listRejectsOfNoJob(context) : listRejects(context, job))
    await onFoundPipeline('rejects list', options, { when: WHEN, act })
    return 0
  },
})

const exportCommand = defineCommand({
  name: 'rejects export',
  doc: 'write the rejected rows of a job as CSV, as they were in IN',
  operands: [{ name: 'OUT', doc: 'the file to write (default: standard output)', optional: true }],
  example: 'rowmill rejects export rejected.csv --job "$JOB" --brokers 127.0.0.1:9092',
  options: ['id', 'force', ...SHARED_OPTIONS],
  async act([out = '-'], options) {
    const { force } = options
    const job = requireJob(options.id)
    const method = out === '-' ? null : methodOf(out)
    if (method !== null)
      throw new RowmillError(
        'USAGE',
        `rejects export writes plain text, and ${out} is the name of a packed file (${method}): choose another OUT`,
      )
    if (out !== '-') await checkOutput(out, force)
    const act = (context: PipelineContext) => exportRejects(context, job, { out, force })
    await onFoundPipeline('rejects export', options, { when: WHEN, act })
    return 0
  },
})

const replayCommand = defineCommand({
  name: 'rejects replay',
  doc: 'have the rejected rows of a job classified again, in a new attempt',
  operands: [],
  example: 'rowmill rejects replay --job "$JOB" --brokers 127.0.0.1:9092',
  options: ['id', ...SHARED_OPTIONS],
  async act(_, options) {
    const job = requireJob(options.id)
    const act = (context: PipelineContext) => replayRejects(context, job)
    await onFoundPipeline('rejects replay', options, { when: WHEN, act })
    return 0
  },
})

export const rejectsCommands: readonly CommandSpec[] = [listCommand, exportCommand, replayCommand]

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

async function exportRejects(
  context: PipelineContext,
  id: string,
  { out, force }: { out: string; force: boolean },
): Promise<void> {
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
