import { isOfRun } from '../../pipeline/topic-names.ts'
import { counted } from '../../support/counted.ts'
import { causeOf } from '../../watch/cause.ts'
import { isOpen } from '../../watch/phase.ts'
import type { JobView, NoTopicsView, PipelineView, WaitReason, WaitView } from '../../watch/view.ts'
import { describeNoTopics, isRunOver } from '../no-topics.ts'

/** The largest text of the page: what the job waits for, since when, and the command that helps. */
export interface Headline {
  /** `good`: rows move. `done`: complete. `idle`: nothing to do. `wait`: it will go on by itself. `bad`: somebody must act. */
  readonly tone: 'good' | 'done' | 'idle' | 'wait' | 'bad'
  readonly job: string | null
  /** One sentence without a moment: it changes only when the state changes, so a screen reader may read each change. */
  readonly sentence: string
  /** Milliseconds since 1970. Null: not known, or of no interest. */
  readonly since: number | null
  /** Whether it happened at `since`, and is over. Otherwise it has been so since then. */
  readonly isOver: boolean
  /** Until the job is done. Null: not known, or of no interest. */
  readonly etaSeconds: number | null
  /** More for who wants to know. It may change with every view. */
  readonly detail: string | null
  /** Lines that have their own layout, such as a traceback. Null: there are none. */
  readonly trace: string | null
  readonly help: JobView['help']
}

/** What is wrong, and whether somebody must act. Reasons that are no trouble have none. */
const TROUBLES: Partial<Record<WaitReason, { tone: 'wait' | 'bad'; what: (wait: WaitView) => string }>> = {
  'publisher-silent': { tone: 'bad', what: () => 'rows: its publisher stopped before it was done' },
  'no-worker': { tone: 'bad', what: () => 'a worker: none is running' },
  'worker-starting': { tone: 'wait', what: () => 'its workers, which are starting' },
  'slow-batch': { tone: 'wait', what: wait => `one slow batch${inPartition(wait)}` },
  'worker-silent': { tone: 'bad', what: wait => `worker ${wait.worker ?? ''}, which stopped answering` },
  rebalance: {
    tone: 'wait',
    what: wait => `a worker to take over${wait.partition === null ? '' : ` partition ${wait.partition}`}`,
  },
  'open-transaction': {
    tone: 'bad',
    what: wait => `a transaction that another producer left open${inPartition(wait)}`,
  },
  'no-leader': {
    tone: 'bad',
    what: () => 'a Kafka broker that is away: a partition has no leader without it',
  },
  'no-collector': { tone: 'bad', what: () => 'a collector: nothing writes its results' },
  'collector-silent': { tone: 'bad', what: () => 'its collector, which stopped answering' },
  'run-ended': { tone: 'bad', what: () => 'its rowmill run, which has ended' },
  broker: { tone: 'bad', what: () => 'the Kafka broker' },
}

/** The job that needs a person most: in trouble, else open, else the latest one. Null: there is no job. */
export function jobOfInterest({ jobs }: PipelineView): JobView | null {
  const open = jobs.filter(isOpen)
  return open.find(needsPerson) ?? open.find(isTroubled) ?? open[0] ?? jobs.at(-1) ?? null
}

/** @param job what is open on the page. Null: whatever is of interest. */
export function headlineOf(view: PipelineView | null, job: JobView | null): Headline {
  const nothing = { job: null, since: null, isOver: false, etaSeconds: null, detail: null, trace: null, help: null }
  if (view === null) return { ...nothing, tone: 'wait', sentence: 'Reading the pipeline for the first time.' }
  const { unreachableSince, noTopics, brokers, pipeline } = view
  if (unreachableSince !== null)
    return {
      ...nothing,
      tone: 'bad',
      sentence: `No Kafka broker answers at ${brokers}.`,
      since: unreachableSince,
      detail: 'Everything below is as it was then. Rows are safe: the jobs continue when a broker is back.',
      help: { why: 'It says what cannot be reached.', command: `rowmill doctor --brokers ${brokers}` },
    }
  if (noTopics !== null) return { ...nothing, ...headlineWithoutTopics(view, noTopics) }
  if (job === null)
    return {
      ...nothing,
      tone: 'idle',
      sentence: 'There is no job yet.',
      detail: `Pipeline ${pipeline} waits for one.`,
      help: helpToPublish(view),
    }
  const { sentence, ...rest } = sentenceOf(job)
  const alike = isOpen(job) && troubleOf(job) ? alikeOf(view, job).length : 0
  const all = sentence.replace(`Job ${job.id} waits`, () => `Job ${job.id} and ${counted(alike, 'other job')} wait`)
  return { job: job.id, ...rest, sentence: alike === 0 ? sentence : all }
}

function helpToPublish({ pipeline, brokers }: PipelineView): Headline['help'] {
  const command = `rowmill publish rows.csv --pipeline ${pipeline} --brokers ${brokers}`
  return { why: 'This publishes the rows of a file:', command }
}

function headlineWithoutTopics(
  view: PipelineView,
  noTopics: NoTopicsView,
): Omit<Headline, 'job' | 'etaSeconds' | 'trace'> {
  const { since, wereThere, missing, lastJob } = noTopics
  const before = lastJob && `Before that: ${sentenceOf(lastJob).sentence}`
  if (isRunOver(view)) {
    const isComplete = lastJob?.phase === 'complete'
    const detail = isComplete ? before : [before, 'Its terminal says how it ended.'].filter(Boolean).join(' ')
    return { tone: isComplete ? 'done' : 'idle', sentence: 'The run is over.', since, isOver: true, detail, help: null }
  }
  const sentence = asSentence(describeNoTopics(view.pipeline, noTopics))
  if (wereThere) {
    const detail = [`Topic ${missing} does not exist.`, before].filter(Boolean).join(' ')
    return { tone: 'bad', sentence, since, isOver: false, detail, help: null }
  }
  const help = isOfRun(view.pipeline) ? null : helpToPublish(view)
  return { tone: 'wait', sentence, since, isOver: false, detail: `Topic ${missing} does not exist.`, help }
}

/**
 * What else needs a person, in one sentence each: other jobs that are in trouble, unless the headline has their trouble too, or that
 * failed in the last hour.
 */
export function othersInTrouble({ jobs, at }: PipelineView, shown: string | null): { job: string; sentence: string }[] {
  const failedLately = (job: JobView) => job.phase === 'failed' && at - (job.movedAt ?? job.openedAt) < 3_600_000
  const told = jobs.find(({ id }) => id === shown)
  const alike = new Set(told && isOpen(told) && troubleOf(told) ? alikeOf({ jobs }, told) : [])
  const others = jobs.filter(job => job.id !== shown && !alike.has(job) && (needsPerson(job) || failedLately(job)))
  return others
    .slice(-3)
    .reverse()
    .map(job => ({ job: job.id, sentence: sentenceOf(job).sentence }))
}

/** The other open jobs that wait for the same thing. */
function alikeOf({ jobs }: Pick<PipelineView, 'jobs'>, of: JobView): JobView[] {
  return jobs.filter(job => job !== of && isOpen(job) && causeOf(job) === causeOf(of))
}

const troubleOf = ({ waitsFor }: JobView) => waitsFor && TROUBLES[waitsFor.reason]
const isTroubled = (job: JobView) => job.phase === 'stalled' || Boolean(troubleOf(job))
const needsPerson = (job: JobView) => isOpen(job) && (job.phase === 'stalled' || troubleOf(job)?.tone === 'bad')

function sentenceOf(job: JobView): Omit<Headline, 'job'> {
  const { id, rows, waitsFor, movedAt } = job
  const help = job.help && { why: asSentence(job.help.why), command: job.help.command }
  // While a job is stalled, the time to the end says nothing.
  const etaSeconds = job.rate.now > 0 ? job.etaSeconds : null
  const trouble = troubleOf(job)
  if (isOpen(job) && trouble)
    return {
      tone: job.phase === 'stalled' ? 'bad' : trouble.tone,
      sentence: `Job ${id} waits for ${trouble.what(waitsFor!)}.`,
      since: waitsFor!.since,
      isOver: false,
      etaSeconds: null,
      detail: asSentence(waitsFor!.text),
      trace: null,
      help,
    }
  const detail = waitsFor && asSentence(waitsFor.text)
  const still = { since: null, isOver: false, etaSeconds: null, detail, trace: null, help }
  const tone = rows.rejected ? 'wait' : 'good'
  const moving = { ...still, tone, etaSeconds, detail: still.detail ?? 'Nothing holds it up.' } as const
  switch (job.phase) {
    case 'stalled':
      return {
        ...still,
        tone: 'bad',
        sentence: `Job ${id} ${stalledSentenceOf(job)}.`,
        since: movedAt,
      }
    case 'failed':
      return {
        ...still,
        tone: 'bad',
        sentence: `Job ${id} failed.`,
        since: movedAt,
        isOver: true,
        ...failureOf(job),
      }
    case 'cancelled':
      return { ...still, tone: 'idle', sentence: `Job ${id} was cancelled.`, detail: job.failure?.message ?? null }
    case 'complete':
      return {
        ...still,
        tone: 'done',
        sentence: `Job ${id} is complete${rejectsOf(job)}.`,
        since: movedAt,
        isOver: true,
      }
    case 'waiting':
      return { ...still, tone: 'wait', sentence: `Job ${id} waits for its first row.`, since: job.openedAt }
    case 'publishing':
      return { ...moving, sentence: `Job ${id} is running: rows are still being published${rejectsSoFar(job)}.` }
    case 'writing':
      return { ...moving, sentence: `Job ${id} is almost done: its last rows are being written${rejectsSoFar(job)}.` }
    case 'classifying': {
      const { total, classified } = rows
      const share =
        total && classified !== null ? `${Math.floor((100 * classified) / total)} % of its rows are classified` : null
      return {
        ...moving,
        sentence: `Job ${id} is running: ${share ?? 'its rows are being classified'}${rejectsSoFar(job)}.`,
      }
    }
  }
}

/** Why a job failed: the first line of its message with its code, and the rest of it. */
function failureOf({ failure }: JobView): Pick<Headline, 'detail' | 'trace'> {
  if (failure === null) return { detail: null, trace: null }
  const { place, message, code } = failure
  const [first, ...rest] = message.split('\n')
  return { detail: `${[place, first].filter(Boolean).join(': ')} [${code}]`, trace: rest.join('\n') || null }
}

/** What a stalled job waits for that is no trouble as long as a job moves. */
function stalledSentenceOf({ waitsFor }: JobView): string {
  const { reason, worker } = waitsFor ?? {}
  if (worker && (reason === 'classifying' || reason === 'queued'))
    return `waits for worker ${worker}, which has sent no result for a long time`
  if (reason === 'publisher') return 'waits for its publisher, which has sent no row for a long time'
  if (reason === 'collector') return 'waits for its collector, which has written no row for a long time'
  return 'is stalled: rows wait, and nothing moves'
}

/** The view has clauses; the page has sentences. */
export function asSentence(clause: string): string {
  const text = clause.charAt(0).toUpperCase() + clause.slice(1)
  return /[.:!?]$/.test(text) ? text : `${text}.`
}

const inPartition = ({ partition }: WaitView) => (partition === null ? '' : ` in partition ${partition}`)

/** Without a count, which would change the sentence again and again. */
function rejectsSoFar({ rows: { rejected, classified } }: JobView): string {
  if (!rejected) return ''
  return rejected === classified ? ', and every result so far is a reject' : ', but some rows were rejected'
}

function rejectsOf({ rows: { rejected } }: JobView): string {
  if (!rejected) return ''
  return rejected === 1 ? ', but 1 row was rejected' : `, but ${rejected.toLocaleString('en')} rows were rejected`
}
