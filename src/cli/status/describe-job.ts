import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'
import { duration } from '../duration.ts'
import { describePartitions } from './describe-partitions.ts'
import { describeWorkers } from './describe-workers.ts'
import { asItIs, command, inColumns, type TextLine, wrapped } from './layout.ts'
import { grouped, moment, rowCount, since, speed } from './words.ts'

export interface Room {
  /** Columns of the terminal. */
  readonly width: number
  /** Whether to show every job, worker and partition, not only those that matter most. */
  readonly all: boolean
}

const BLANK: TextLine = { text: '', tone: 'plain' }

/** One job: what it is doing, what it waits for, the command that helps, then the numbers. */
export function describeJob(view: PipelineView, job: JobView, room: Room): TextLine[] {
  const { width } = room
  const parts: readonly (readonly TextLine[])[] = [
    [
      ...wrapped(sentenceOf(job, view.at), width, { tone: toneOf(job) }),
      ...wrapped(describeOpening(view, job), width),
      ...describeReason(job, width),
    ],
    describeWait(job, width),
    describeHelp(job, width),
    describeRest(job),
    describeRows(job, width),
    describeRejects(job, width),
    isOpen(job) ? describePartitions(job, room) : [],
    isOpen(job) ? describeWorkers(view.workers, { job, ...room }) : [],
  ]
  return parts.filter(({ length }) => length > 0).flatMap((part, at) => (at === 0 ? part : [BLANK, ...part]))
}

/** What the job is doing, in one sentence. `now` is in milliseconds since 1970. */
export function sentenceOf(job: JobView, now: number): string {
  const { id, phase, movedAt, openedAt, rows } = job
  const name = job.attempt === 0 ? `job ${id}` : `job ${id}, attempt ${job.attempt},`
  switch (phase) {
    case 'waiting':
      return `${name} is open, and no row is published yet`
    case 'publishing':
      return `${name} is running: rows are being published${describeLeft(job)}`
    case 'classifying':
      return `${name} is running: all rows are published${describeLeft(job)}`
    case 'writing':
      return `${name} is nearly done: every row is classified, and not every row is written`
    case 'complete':
      return rows.rejected ? `${name} is complete, but ${rejectedRows(rows.rejected)}` : `${name} is complete`
    case 'failed':
      return `${name} failed`
    case 'cancelled':
      return `${name} was cancelled`
    case 'stalled':
      return `${name} is stalled: rows wait, and nothing moved for ${since(movedAt ?? openedAt, now)}`
  }
}

/** Why a job needs a person: what it waits for, or why it ended. */
export function troubleOf({ failure, waitsFor }: JobView): string | null {
  if (failure === null) return waitsFor?.text ?? null
  const place = failure.place === null ? '' : `${failure.place}: `
  return `${place}${failure.message.split('\n', 1)[0]} [${failure.code}]`
}

/** `50 %`, or null if that is not known. */
export function shareOf({ rows: { classified, total } }: JobView): string | null {
  return classified === null || !total ? null : `${Math.floor((100 * classified) / total)} %`
}

export function describeHelp({ help }: JobView, width: number): TextLine[] {
  if (help === null) return []
  if (help.command === null) return wrapped(`To help: ${help.why}.`, width)
  return [...wrapped(`To help: ${help.why}:`, width), command(help.command)]
}

function describeLeft(job: JobView): string {
  const share = shareOf(job)
  const left = job.etaSeconds === null ? '' : `, about ${duration(job.etaSeconds)} left`
  return `${share === null ? ' and classified' : `, ${share} classified`}${describeRejectsSoFar(job)}${left}`
}

function describeRejectsSoFar({ rows: { rejected, classified } }: JobView): string {
  if (!rejected) return ''
  return rejected === classified ? ', every one of them rejected' : `, ${grouped(rejected)} of them rejected`
}

function rejectedRows(count: number): string {
  return `${rowCount(count)} ${count === 1 ? 'was' : 'were'} rejected`
}

function toneOf(job: JobView): TextLine['tone'] {
  if (job.phase === 'complete') return 'good'
  return job.phase === 'failed' || job.phase === 'cancelled' || job.phase === 'stalled' ? 'bad' : 'title'
}

function describeOpening({ at, pipeline, brokers }: PipelineView, { openedAt, by }: JobView): string {
  return `opened ${moment(openedAt)}, ${since(openedAt, at)} ago, by ${opener(by)}; pipeline ${pipeline} at ${brokers}`
}

/** `publish vm/4711/0a1b2c` is a process of that machine. */
function opener(by: string): string {
  return by.replace(/ ([^/ ]+)\/\S+$/, ' on $1')
}

function describeReason(job: JobView, width: number): TextLine[] {
  return job.failure === null ? [] : wrapped(troubleOf(job)!, width, { indent: '  ' })
}

/** A message may have more lines, such as a traceback. They stay as they are: a line of ^^^^ points at the one above it. */
function describeRest({ failure }: JobView): TextLine[] {
  const [, ...lines] = failure?.message.split('\n') ?? []
  return lines.map(line => asItIs(line, '  '))
}

function describeWait({ waitsFor }: JobView, width: number): TextLine[] {
  if (waitsFor === null) return []
  return wrapped(`What it waits for: ${waitsFor.text}`, width, { tone: 'title' })
}

function describeRows(job: JobView, width: number): TextLine[] {
  const { total, ...rows } = job.rows
  const cells = (['published', 'classified', 'written'] as const).flatMap(stage => {
    const count = rows[stage]
    if (count === null) return []
    const share = total ? `${Math.floor((100 * count) / total)} %` : ''
    const of = total === null ? '' : `of ${grouped(total)}`
    const [size, whole] = [grouped(total ?? count).length, grouped(count)]
    return [[stage, `${whole.padStart(size)} ${of}`.trimEnd(), share, ...(stage === 'classified' ? speeds(job) : [])]]
  })
  return inColumns(cells, width)
}

/** The average is not known if the results came before the watch began. */
function speeds(job: JobView): string[] {
  const { now, average } = job.rate
  const isKnown = average > 0 || !job.rows.classified
  return [...(isOpen(job) ? [`now ${speed(now)}`] : []), ...(isKnown ? [`on average ${speed(average)}`] : [])]
}

function describeRejects({ rows, rejectsByReason, lastRejects }: JobView, width: number): TextLine[] {
  if (!rows.rejected) return []
  const reasons = Object.entries(rejectsByReason).sort(([, a], [, b]) => b - a)
  const told = reasons.map(([reason, count]) => `${grouped(count)} ${reason}`).join(', ')
  return [
    ...wrapped(`${rejectedRows(rows.rejected)}${told === '' ? '' : `: ${told}`}`, width, { tone: 'title' }),
    ...lastRejects.flatMap(({ row, line, reason, detail }) => {
      const place = row === null ? 'a row' : `row ${row}${line === null ? '' : ` (line ${line})`}`
      return wrapped(`${place}: ${reason} ${detail.split('\n', 1)[0]}`, width, { indent: '  ' })
    }),
  ]
}
