import { causeOf } from '../../watch/cause.ts'
import { isOpen } from '../../watch/phase.ts'
import type { JobView, PipelineView } from '../../watch/view.ts'
import { duration } from '../duration.ts'
import { describeHelp, type Room, sentenceOf, shareOf, troubleOf } from './describe-job.ts'
import { countWorkers } from './describe-workers.ts'
import { inColumns, type TextLine, wrapped } from './layout.ts'
import { grouped, since } from './words.ts'

/** How many jobs that are over are shown unless all are asked for. */
const SHOWN = 10
/** How many jobs in trouble are told about in full, each with those that have the same cause. */
const TOLD = 3
/** How many of those are named. */
const NAMED = 5

/** All jobs: first what needs a person, then a line for each job, the open ones first. */
export function describePipeline(view: PipelineView, room: Room): TextLine[] {
  const { width, all } = room
  const open = view.jobs.filter(isOpen)
  const over = view.jobs.filter(job => !isOpen(job)).reverse()
  const shown = all ? over : over.slice(0, SHOWN)
  const more = over.length - shown.length
  const summary = `pipeline ${view.pipeline} at ${view.brokers}: ${jobCount(open.length, 'open job')}, ${countWorkers(view.workers)}`
  return [
    ...wrapped(summary, width, { tone: 'title' }),
    ...describeTrouble(view, width),
    ...inColumns(
      [...open, ...shown].map(job => cellsOf(job, view.at)),
      width,
    ),
    ...(more === 0 ? [] : wrapped(`${more} older: --all shows them`, width, { indent: '  ' })),
  ]
}

function describeTrouble({ jobs, at }: PipelineView, width: number): TextLine[] {
  const isStalled = ({ phase }: JobView) => phase === 'stalled'
  const inTrouble = jobs.filter(job => isStalled(job) || (isOpen(job) && job.help !== null))
  const groups = [...Map.groupBy(inTrouble, causeOf).values()].sort(
    (a, b) => Number(b.some(isStalled)) - Number(a.some(isStalled)),
  )
  const more = groups.slice(TOLD).flat()
  return [
    ...groups.slice(0, TOLD).flatMap(group => {
      const [first, ...others] = group.toSorted((a, b) => Number(isStalled(b)) - Number(isStalled(a)))
      const trouble = troubleOf(first!)
      const sentence = isStalled(first!) ? sentenceOf(first!, at) : `job ${first!.id}`
      return [
        ...wrapped(`${sentence}${trouble === null ? '' : `: ${trouble}`}`, width, { tone: 'bad' }),
        ...(others.length === 0 ? [] : wrapped(`${namesOf(others)} for the same reason`, width, { indent: '  ' })),
        ...describeHelp(first!, width),
      ]
    }),
    ...(more.length === 0 ? [] : wrapped(`also in trouble: ${namesOf(more)}`, width, { tone: 'bad' })),
  ]
}

/** `job a, job b and 12 more`. */
function namesOf(jobs: readonly JobView[]): string {
  const named = jobs.slice(0, NAMED).map(({ id }) => `job ${id}`)
  const more = jobs.length - named.length
  return more === 0 ? named.join(', ') : `${named.join(', ')} and ${more} more`
}

function cellsOf(job: JobView, now: number): string[] {
  const { id, phase, attempt, rows, etaSeconds, openedAt } = job
  const classified = rows.classified === null ? '' : grouped(rows.classified)
  const of = rows.total === null ? '' : ` of ${grouped(rows.total)}`
  const end = etaSeconds === null ? `opened ${since(openedAt, now)} ago` : `${duration(etaSeconds)} left`
  return [
    id,
    attempt === 0 ? phase : `${phase}, attempt ${attempt}`,
    shareOf(job) ?? '',
    classified === '' ? '' : `${classified}${of}`,
    rows.rejected ? `${grouped(rows.rejected)} rejected` : '',
    isOpen(job) ? end : (job.failure?.code ?? `opened ${since(openedAt, now)} ago`),
  ]
}

function jobCount(count: number, noun: string): string {
  return count === 0 ? `no ${noun}` : `${count} ${noun}${count === 1 ? '' : 's'}`
}
