import { keyOf } from '../kafka/topic-partition.ts'
import { counted } from '../support/counted.ts'
import type { EventKind, EventView, JobPhase, JobView, PipelineView, WorkerView } from './view.ts'

/** How many events are kept. */
const MOST_EVENTS = 200

type EventDetails = Omit<EventView, 'number' | 'at'>

/** What happened in a pipeline since the first view of it, oldest first: the last 200 events. */
export class Timeline {
  #events: readonly EventView[] = []
  #count = 0
  #before: PipelineView | null = null

  /** The events up to and with this view, whose own events do not matter. */
  after(view: PipelineView): readonly EventView[] {
    const happened = this.#before === null ? [] : whatHappened(this.#before, view)
    this.#before = view
    const news = happened.map(event => ({ ...event, number: this.#count++, at: view.at }))
    if (news.length > 0) this.#events = [...this.#events, ...news].slice(-MOST_EVENTS)
    return this.#events
  }
}

/** The events between two views of a pipeline. */
export function whatHappened(before: PipelineView, after: PipelineView): EventDetails[] {
  const ofTopics = topicsEvents(before, after)
  if (after.noTopics !== null) return [...ofBroker(before, after), ...ofTopics]
  return [...ofBroker(before, after), ...ofTopics, ...ofWorkers(before, after), ...ofJobs(before, after)]
}

function event(kind: EventKind, text: string, of: { job?: string; worker?: string } = {}): EventDetails {
  return { kind, job: of.job ?? null, worker: of.worker ?? null, text }
}

function ofBroker(before: PipelineView, after: PipelineView): EventDetails[] {
  const [was, is] = [before.unreachableSince !== null, after.unreachableSince !== null]
  if (was === is) return []
  return is
    ? [event('broker-lost', `no broker answers at ${after.brokers}`)]
    : [
        event(
          'broker-back',
          `the broker answers again, after ${Math.round((after.at - before.unreachableSince!) / 1000)} s`,
        ),
      ]
}

function topicsEvents(before: PipelineView, { noTopics, pipeline }: PipelineView): EventDetails[] {
  if ((before.noTopics === null) === (noTopics === null)) return []
  return noTopics === null
    ? [event('topics-back', `pipeline ${pipeline} has topics now`)]
    : [event('topics-gone', `the topics of pipeline ${pipeline} are gone`)]
}

const isThere = ({ state }: WorkerView) => state !== 'gone'

function ofWorkers(before: PipelineView, after: PipelineView): EventDetails[] {
  const known = new Map(before.workers.filter(isThere).map(worker => [worker.name, worker]))
  const there = new Map(after.workers.filter(isThere).map(worker => [worker.name, worker]))
  const changes = [...there.values()].flatMap(worker => ofWorker(known.get(worker.name), worker))
  const gone = [...known.keys()].filter(name => !there.has(name))
  const stayed = [...there.values()].filter(({ name }) => known.has(name))
  const moved = stayed.filter(worker => partitionsOf(worker) !== partitionsOf(known.get(worker.name)!))
  const shares = moved.map(worker => `${worker.name} has ${sharesOf(worker)}`)
  return [
    ...changes,
    ...gone.map(worker => event('worker-gone', `worker ${worker} is gone`, { worker })),
    ...(moved.length > 0 ? [event('rebalance', `partitions moved: worker ${shares.join(', worker ')}`)] : []),
  ]
}

function ofWorker(before: WorkerView | undefined, after: WorkerView): EventDetails[] {
  const { name: worker, host, state, restarts } = after
  if (!before) return [event('worker-started', `worker ${worker} started on ${host}`, { worker })]
  if (restarts > before.restarts) return [event('worker-restarted', `worker ${worker} was started again`, { worker })]
  const codes = Object.entries(after.classifierRestarts).filter(
    ([code, count]) => count > (before.classifierRestarts[code] ?? 0),
  )
  if (codes.length > 0) return codes.map(([code]) => event('classifier-restarted', restartOf(worker, code), { worker }))
  if (state === 'silent' && before.state !== 'silent')
    return [event('worker-silent', `worker ${worker} on ${host} stopped answering`, { worker })]
  return []
}

function restartOf(worker: string, code: string): string {
  const of = `the classifier of worker ${worker}`
  return code === 'CLASSIFIER_TIMEOUT'
    ? `${of} took longer than --batch-timeout for a batch, and was started again`
    : `${of} died, and was started again`
}

function partitionsOf({ partitions }: WorkerView): string {
  return partitions.map(keyOf).sort().join()
}

/** Rows and bulk rows share the numbers of their partitions: who has one has the other. */
function sharesOf({ partitions }: WorkerView): number {
  return new Set(partitions.map(({ partition }) => partition)).size
}

const PHASES: { readonly [phase in JobPhase]?: readonly [EventKind, string] } = {
  complete: ['job-complete', 'is complete'],
  failed: ['job-failed', 'failed'],
  cancelled: ['job-cancelled', 'was cancelled'],
  stalled: ['job-stalled', 'is stalled'],
}

function ofJobs(before: PipelineView, after: PipelineView): EventDetails[] {
  const known = new Map(before.jobs.map(job => [job.id, job]))
  return after.jobs.flatMap(job => ofJob(known.get(job.id), job))
}

function ofJob(before: JobView | undefined, job: JobView): EventDetails[] {
  const { id, phase, failure, waitsFor, rows } = job
  const happened = before ? [] : [event('job-opened', `job ${id} was opened`, { job: id })]
  const ends = phase === before?.phase ? undefined : PHASES[phase]
  if (ends) {
    const why = phase === 'stalled' ? waitsFor?.text : failure?.message.split('\n', 1)[0] // a traceback follows
    happened.push(event(ends[0], `job ${id} ${ends[1]}${why ? `: ${why}` : ''}`, { job: id }))
  }
  const more = (rows.rejected ?? 0) - (before?.rows.rejected ?? 0)
  if (more > 0 && (before === undefined || before.rows.rejected !== null)) {
    const { reason } = job.lastRejects.at(-1) ?? {}
    const text = `job ${id}: ${counted(more, 'row')} rejected${reason ? ` (${reason})` : ''}, ${rows.rejected} in all`
    happened.push(event('rejects', text, { job: id }))
  }
  return happened
}
