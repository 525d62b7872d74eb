import { writeFile } from 'node:fs/promises'
import { OutputFormat } from '../../../connectors/csv/output-format.ts'
import { checkOutput } from '../../../connectors/file/output-path.ts'
import { hasFailed, jobFailure, jsonOptionOf } from '../../core/job.ts'
import { isRemoved } from '../../core/removed-job.ts'
import { RowmillError } from '../../errors.ts'
import { findRejects, type OpenReject } from '../../jobs/find-rejects.ts'
import { findRejectsOfNoJob } from '../../jobs/rejects-of-no-job.ts'
import { type Reopened, reopen } from '../../jobs/reopen.ts'
import type { Job, Rejected } from '../../model.ts'
import { methodOf } from '../../pandas/packing.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { counted } from '../../support/counted.ts'
import { printable } from '../../support/printable.ts'
import { type CommandSpec, defineCommand } from '../command.ts'
import { nullsOf, printJson } from '../json-output.ts'
import { onFoundPipeline, requireJob, SHARED_OPTIONS } from '../shared-pipeline.ts'
import { print } from '../standard-output.ts'

const WHEN = 'before it was done'

const REJECT = {
  line: 'each rejected row, or each message that belongs to no job',
  fields: {
    job: 'the id of its job, or null',
    row: 'its number in the job, from 0; null if the job does not number its rows',
    topic: 'the topic of the message; null for a row of a job, whose topic is that of the job',
    partition: 'its partition',
    offset: 'the offset of its message; null for a row with a number',
    line: 'the line of IN in which it begins, or null',
    reason: 'why: an error code, or for a message that belongs to no job UNKNOWN_JOB, MALFORMED, UNREADABLE or POISON',
    detail: 'what was wrong, with the traceback if there is one',
    values: 'its values as a list; null for a message that belongs to no job',
  },
}

const REPLAYED = {
  line: 'the job',
  fields: {
    job: 'its id',
    attempt: 'the number of the new attempt; null if there was nothing to replay',
    rejects: 'rejected rows that are classified again',
  },
}

const listCommand = defineCommand({
  name: 'rejects list',
  doc: 'list the rejected rows of a job, or without --job the messages that belong to no job',
  operands: [],
  example: 'rowmill rejects list --job "$JOB" --brokers 127.0.0.1:9092',
  options: ['rejectsOf', 'output', ...SHARED_OPTIONS],
  json: REJECT,
  async act(_, options) {
    const job = options.rejectsOf === null ? null : requireJob(options.rejectsOf)
    const asJson = options.output === 'json'
    const act = (context: PipelineContext) =>
      job === null ? listRejectsOfNoJob(context, asJson) : listRejects(context, { id: job, asJson })
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
        `rejects export writes plain text, and ${out} is the name of a compressed file (${method}): choose another OUT`,
      )
    if (out !== '-') await checkOutput(out, force)
    const act = async (context: PipelineContext) => {
      const { job: of, rejected } = await read(context, job)
      return csvOf(of, rejected)
    }
    await writeText(await onFoundPipeline('rejects export', options, { when: WHEN, act }), { out, force })
    return 0
  },
})

const replayCommand = defineCommand({
  name: 'rejects replay',
  doc: 'have the rejected rows of a job classified again, in a new attempt',
  operands: [],
  example: 'rowmill rejects replay --job "$JOB" --brokers 127.0.0.1:9092',
  options: ['id', 'output', ...SHARED_OPTIONS],
  json: REPLAYED,
  async act(_, options) {
    const job = requireJob(options.id)
    const reopened = await onFoundPipeline('rejects replay', options, {
      when: WHEN,
      act: context => replayRejects(context, job),
    })
    const { attempt } = reopened?.job ?? { attempt: null }
    if (options.output === 'json') printJson(REPLAYED, [{ job, attempt, rejects: reopened?.rejects ?? 0 }])
    return 0
  },
})

export const rejectsCommands: readonly CommandSpec[] = [listCommand, exportCommand, replayCommand]

async function listRejects(context: PipelineContext, { id, asJson }: { id: string; asJson: boolean }): Promise<void> {
  const { rejected } = await read(context, id)
  if (asJson)
    return printJson(
      REJECT,
      rejected.map(reject => rejectLine(id, reject)),
    )
  if (rejected.length === 0) return
  const lines = rejected.map(({ seq, partition, position, line, reason, detail }) =>
    [seq ?? `${partition}@${position}`, line ?? '', reason, oneLine(detail)].join('\t'),
  )
  print(`row\tline\treason\tdetail\n${lines.join('\n')}\n`)
}

function rejectLine(job: string, { seq: row, partition, position, line, reason, detail, values }: OpenReject) {
  return { job, row, topic: null, partition, offset: row === null ? position : null, line, reason, detail, values }
}

/** Messages without a place in the results of any job. Nothing can replay them, and only the topic `rejects` has them. */
async function listRejectsOfNoJob(context: PipelineContext, asJson: boolean): Promise<void> {
  const found = await findRejectsOfNoJob(context)
  context.say(
    `pipeline ${context.pipeline} has ${counted(found.length, 'rejected message')} of no job. For the rejects of a job give --job`,
  )
  if (asJson)
    return printJson(
      REJECT,
      found.map(message => ({ ...nullsOf(REJECT), ...message })),
    )
  if (found.length === 0) return
  const lines = found.map(({ topic, partition, offset, reason, detail }) =>
    [`${topic}[${partition}]@${offset}`, reason, oneLine(detail)].join('\t'),
  )
  print(`message\treason\tdetail\n${lines.join('\n')}\n`)
}

async function writeText(text: string, { out, force }: { out: string; force: boolean }): Promise<void> {
  if (out === '-') print(text)
  else
    await writeFile(out, text, { flag: force ? 'w' : 'wx' }).catch(cause => {
      throw new RowmillError('OUTPUT_FAILED', `cannot write ${out}: ${cause.message}`, { path: out }, { cause })
    })
}

async function replayRejects(context: PipelineContext, id: string): Promise<Reopened | null> {
  const reopened = await reopen(context, id, 'rejects replay')
  if (!reopened) {
    context.say(`job ${id} is complete and has no rejects: there is nothing to replay`)
    return null
  }
  const { job, rejects } = reopened
  const are = job.state === 'ended' && rejects === 1 ? 'is' : 'are'
  const what = `${counted(rejects, 'reject')}${job.state === 'ended' ? '' : ' so far, and the rows after,'} ${are}`
  context.say(
    `job ${id}, attempt ${job.attempt}: ${what} classified again by the workers of pipeline ${context.pipeline}. ` +
      'Restart workers that started before the classifier was repaired: they still have the old one',
  )
  if (job.state === 'open') context.say(`its rows are not all published: rowmill publish IN --job ${id} resumes`)
  return reopened
}

async function read(context: PipelineContext, id: string): Promise<{ job: Job; rejected: readonly OpenReject[] }> {
  const job = await context.jobs.latest(id)
  if (!job)
    throw new RowmillError('USAGE', `no job ${id} in pipeline ${context.pipeline}: give --job as publish printed it`)
  if (isRemoved(job)) throw jobFailure(job)
  const { rejected, complete } = await findRejects(context, job)
  context.say(`${counted(rejected.length, 'reject')} of job ${id}${complete ? '' : ` so far: ${whyMoreMayCome(job)}`}`)
  return { job, rejected }
}

function whyMoreMayCome(job: Job): string {
  if (hasFailed(job))
    return `it ${job.state === 'failed' ? 'failed' : 'was cancelled'} before all its rows were classified`
  if (job.attempt > 0) return `attempt ${job.attempt} classifies them again, and is not over yet`
  if (job.bounded || job.state === 'ended') return 'not all of its rows are classified yet'
  return 'it is a job of events, and more may come'
}

/** The rows as they were in the source, below its header. rowmill can read such a file. */
function csvOf({ columns, options }: Job, rejected: readonly Rejected[]): string {
  const { sep } = jsonOptionOf({ options }, 'readCsv', '{}')
  const toCsv = JSON.stringify({ header: true, sep: typeof sep === 'string' && sep.length === 1 ? sep : ',' })
  const quoting = { name: 'quotesCarriageReturn', value: 'true' }
  const format = new OutputFormat({ columns, options: [{ name: 'toCsv', value: toCsv }, quoting] })
  return format.headerLine + format.lines(rejected.map(({ values }) => values))
}

/** The first line of a detail. A traceback may follow it. */
function oneLine(detail: string): string {
  return printable(detail.split('\n', 1)[0]!.replaceAll('\t', ' '))
}
