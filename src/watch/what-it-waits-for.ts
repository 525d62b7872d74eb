import { describeRows, placeOf } from '../core/sequence.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { BatchInHand } from '../reports/report.ts'
import { counted } from '../support/counted.ts'
import type { JobFacts, PipelineFacts } from './facts.ts'
import type { HeardProcess } from './report-board.ts'
import type { NextRow, UnfinishedJob } from './unfinished-job.ts'
import type { WaitReason, WaitView, WorkerView } from './view.ts'
import { withoutLeader } from './without-leader.ts'

/** A batch is slow if it takes so many times as long as the average one, and more than so many seconds. */
const SLOW_TIMES = 10
const SLOW_SECONDS = 4
/** The same where no average is known, as of the first batch of a worker. */
const SLOW_FIRST_SECONDS = 30

/** What the output of a job waits for, why, and since when. Null: for nothing that is known. */
export function whatItWaitsFor(facts: PipelineFacts, waiting: UnfinishedJob): WaitView | null {
  const { of, isClassified } = waiting
  if (facts.unreachableSince !== null) {
    const text = `no broker answers at ${facts.brokers}`
    return { reason: 'broker', row: null, partition: null, worker: null, since: facts.unreachableSince, text }
  }
  const wanted = isClassified ? null : wantedOf(facts, waiting)
  const leaderless = withoutLeader(facts, waiting, wanted)
  if (leaderless !== null) return leaderless
  if (isClassified) return collectorWait(facts, waiting)
  if (wanted === null || !isPublished(facts, waiting, wanted)) return publisherWait(facts, waiting, wanted?.row ?? null)
  return workerWait(facts, waiting, { ...wanted, topic: of.job.topic })
}

function wantedOf({ partitions }: PipelineFacts, { of, counts }: UnfinishedJob): NextRow | null {
  const { job } = of
  if (
    job.sequenced &&
    job.attempt > 0 &&
    counts &&
    counts.firstMissing!.row >= (job.total ?? 0) &&
    counts.firstWithoutEnd !== null
  )
    return counts.firstAgain ?? { row: null, partition: counts.firstWithoutEnd } // rejects that are classified again
  if (job.sequenced) return counts?.firstMissing ?? null
  let oldest: { readonly wanted: NextRow; readonly at: number } | null = null
  for (let partition = 0; ; partition++) {
    const here = partitions.get(keyOf({ topic: job.topic, partition }))
    if (!here) return oldest?.wanted ?? null
    if (here.committed >= here.end || (oldest && (here.oldestAt ?? 0) >= oldest.at)) continue
    oldest = { wanted: { row: null, partition }, at: here.oldestAt ?? 0 }
  }
}

function isPublished({ partitions }: PipelineFacts, { of, rows }: UnfinishedJob, { row, partition }: NextRow): boolean {
  if (of.job.state === 'ended') return true
  const here = partitions.get(keyOf({ topic: of.job.topic, partition }))
  if (here !== undefined && here.committed >= here.end) return false // a publisher that died may have sent later rows to others
  const published = rows.partitions[partition]?.published ?? null
  if (row !== null && published !== null) return placeOf(row, of.job).position < published
  return here !== undefined
}

/** Null: there is no collector, or it has written everything, or it works while rows are classified. */
export function collectorWait(
  { at }: PipelineFacts,
  { collector, rows, movedAt, isClassified }: UnfinishedJob,
): WaitView | null {
  if (collector === null) return null
  const { report, state, silentSeconds } = collector
  const { written, rejected } = report.collecting!
  const done = written + rejected
  const isAll = rows.total !== null && done >= rows.total
  if (isAll && (report.failure === undefined || !isClassified)) return null
  const left = rows.total === null ? 'rows' : counted(rows.total - done, 'row')
  const who = nameOf(collector)
  const wait = (reason: WaitReason, since: number | null, text: string): WaitView => {
    return { reason, row: done, partition: null, worker: null, since, text }
  }
  if (state === 'running')
    return isClassified
      ? wait('collector', movedAt, `every row is classified, and ${who} has ${left} left to write`)
      : null
  const since = at - silentSeconds * 1000
  if (state === 'silent') {
    const silence = `has not been heard of for ${secondsOf(silentSeconds)}`
    const text = isClassified
      ? `every row is classified, and ${who}, which has ${left} left to write, ${silence}`
      : `its results are not written: ${who} ${silence}`
    return wait('collector-silent', since, text)
  }
  const how = isAll ? ' before its output was complete' : ` with ${left} left to write`
  const text = isClassified
    ? `every row is classified, and nobody writes them: ${who} ended${how}${reasonOf(collector)}`
    : `nobody writes its results: ${who} ended${reasonOf(collector)}`
  return wait('no-collector', since, text)
}

/** `row`: the first one that is not published. Null: any. */
export function publisherWait(facts: PipelineFacts, waiting: UnfinishedJob, row: number | null): WaitView {
  const { of, publisher, movedAt, isStill } = waiting
  const what = row === null ? 'the next row' : `row ${row}`
  const wait = (reason: WaitReason, since: number | null, text: string): WaitView => {
    return { reason, row, partition: null, worker: null, since, text }
  }
  if (publisher === null) {
    const since = movedAt ?? of.openedAt
    if (!of.job.bounded)
      return wait('publisher', since, 'every row so far is classified: it waits for rows from its producer')
    const text = isStill
      ? `${what} is not published, and no row came for ${secondsOf((facts.at - since) / 1000)}: its publisher does not seem to run`
      : `${what} is not published yet`
    return wait(isStill ? 'publisher-silent' : 'publisher', since, text)
  }
  const { state, silentSeconds, report } = publisher
  const who = nameOf(publisher)
  const since = facts.at - silentSeconds * 1000
  if (state === 'gone')
    return wait(
      'publisher-silent',
      since,
      `${what} is not published: ${who} ended before the last row${reasonOf(publisher)}`,
    )
  if (state === 'silent') {
    const text = `${what} is not published: ${who} has not been heard of for ${secondsOf(silentSeconds)}`
    return wait('publisher-silent', since, text)
  }
  const { published, total } = report.publishing!
  const sum = total === null ? counted(published, 'row') : `${published} of ${counted(total, 'row')}`
  return wait('publisher', movedAt ?? of.openedAt, `${what} is not published yet: ${who} has published ${sum}`)
}

function workerWait(facts: PipelineFacts, waiting: UnfinishedJob, at: NextRow & { readonly topic: string }): WaitView {
  const { row, partition, topic } = at
  const key = keyOf(at)
  const here = facts.partitions.get(key) ?? null
  const what = row === null ? `a row of partition ${partition}` : `row ${row} (partition ${partition})`
  const since = here?.oldestAt ?? waiting.movedAt ?? waiting.of.openedAt
  const wait = (reason: WaitReason, text: string, more: Partial<WaitView> = {}): WaitView => {
    return { reason, row, partition, worker: null, since, text, ...more }
  }
  const noWorker = () => {
    const last = facts.board
      .heard(facts.at)
      .findLast(({ report, state }) => report.command === 'work' && state === 'gone')
    const why = last?.report.failure ? `. The last one ended, ${nameOf(last)}${reasonOf(last)}` : ''
    return wait('no-worker', `${what} waits for a worker: none is in pipeline ${facts.pipeline}${why}`)
  }
  const holder = holderOf(waiting, at)
  if (holder && holder.worker.state !== 'silent' && holder.worker.state !== 'gone')
    return inHand(facts, waiting, { what, wait, ...holder })
  if (here && here.openTransaction !== null)
    return wait(
      'open-transaction',
      `${what} cannot be read: another producer has had a transaction open in ${topic}[${partition}] at offset ${here.openTransaction}, and all messages after it wait until it ends`,
    )
  const there = waiting.workers.filter(({ state }) => state !== 'gone')
  if (there.length === 0) return isOfRun(waiting.of) ? ownWorkerWait(waiting, { what, wait }) : noWorker()
  const owner = holder?.worker ?? waiting.owners.get(key) ?? onlySilent(there, at)
  if (!owner) {
    const isRebalance = /Rebalance/.test(facts.group?.state ?? '')
    const why = isRebalance ? 'the workers are being given their partitions' : 'no worker has its partition'
    return wait('rebalance', `${what} waits: ${why}`, { since: null }) // nobody tells when its owner was lost
  }
  const { name, state, silentSeconds } = owner
  const more = { worker: name }
  if (state === 'silent' || state === 'gone')
    return wait(
      'worker-silent',
      `${what} is with worker ${name} on ${owner.host}, which has not been heard of for ${secondsOf(silentSeconds)}`,
      {
        ...more,
        since: facts.at - silentSeconds * 1000,
      },
    )
  if (state === 'starting')
    return wait('worker-starting', `${what} waits until the classifier of worker ${name} is started`, more)
  if (owner.batch) {
    const { average, isSlow } = paceOf(owner, owner.batch)
    const text = `${what} waits until worker ${name} has classified ${describeBatch(facts, owner.batch)}`
    const began = { ...more, since: facts.at - owner.batch.seconds * 1000 }
    return isSlow
      ? wait('slow-batch', `${text}${usual(average)}`, began)
      : wait(unlessNew(waiting, owner, 'queued'), text, more)
  }
  return wait(unlessNew(waiting, owner, 'queued'), `${what} waits for worker ${name}, which has its partition`, more)
}

/** A job has not moved for long, and this worker has classified nothing yet: it came to help. */
function unlessNew({ isStill }: UnfinishedJob, { rows }: WorkerView, reason: WaitReason): WaitReason {
  return rows === 0 && isStill ? 'worker-starting' : reason
}

/** Whether the job is that of a `rowmill run`, which brings its own workers. */
export function isOfRun({ job }: Pick<JobFacts, 'job'>): boolean {
  return /^run\b/.test(job.by)
}

/** No worker of its run is known: it starts, it may not report, or it has died. */
function ownWorkerWait(
  { of, publisher, collector, isStill }: UnfinishedJob,
  { what, wait }: { readonly what: string; readonly wait: (reason: WaitReason, text: string) => WaitView },
): WaitView {
  const run = publisher ?? collector
  const isThere = run === null ? !isStill : run.state === 'running'
  const hasBegun = (of.tally?.window.lastAt ?? null) !== null
  if (isThere && !hasBegun)
    return wait('worker-starting', `${what} waits for the workers of its rowmill run, which are starting`)
  if (run?.state === 'gone')
    return wait('no-worker', `${what} waits for a worker, and ${nameOf(run)} has ended${reasonOf(run)}`)
  if (isThere) return wait('queued', `${what} waits for a worker of its rowmill run`)
  return wait('no-worker', `${what} waits for a worker: its rowmill run does not report any`)
}

/** The worker that has the row in its batch: the owner of the partition, or one that it lent the batch to. */
function holderOf({ of, workers }: UnfinishedJob, { row, partition, topic }: NextRow & { readonly topic: string }) {
  for (const worker of workers) {
    const { batch } = worker
    if (!batch || batch.job !== of.job.id || batch.topic !== topic || batch.partition !== partition) continue
    if (row === null || batch.row === null) return { worker, batch }
    const position = placeOf(row, of.job).position - placeOf(batch.row, of.job).position
    if (position >= 0 && position < batch.rows) return { worker, batch }
  }
  return null
}

/** A worker of which nobody hears, if there is no other: the group has expelled it, or will. It had the partition, or may have. */
function onlySilent(there: readonly WorkerView[], { topic, partition }: { topic: string; partition: number }) {
  if (there.some(({ state }) => state !== 'silent')) return undefined
  const had = there.find(({ partitions }) => partitions.some(at => at.topic === topic && at.partition === partition))
  return had ?? there[0]
}

/** How long a batch of this size takes on average, in seconds. Null: its worker has classified nothing yet. */
function paceOf({ secondsPerRow }: WorkerView, batch: BatchInHand): { average: number | null; isSlow: boolean } {
  const average = secondsPerRow === null ? null : secondsPerRow * batch.rows
  const limit = average === null ? SLOW_FIRST_SECONDS : Math.max(SLOW_SECONDS, SLOW_TIMES * average)
  return { average, isSlow: batch.seconds > limit }
}

function usual(average: number | null): string {
  if (average === null) return ''
  return `; so many rows take ${average < 0.05 ? 'less than 0.1 s' : secondsOf(average)} on average`
}

/** The row is in a classifier. */
function inHand(
  facts: PipelineFacts,
  waiting: UnfinishedJob,
  {
    what,
    wait,
    worker,
    batch,
  }: {
    readonly what: string
    readonly wait: (reason: WaitReason, text: string, more: Partial<WaitView>) => WaitView
    readonly worker: WorkerView
    readonly batch: BatchInHand
  },
): WaitView {
  const { name } = worker
  const { average, isSlow } = paceOf(worker, batch)
  const { job } = waiting.of
  const place = batch.row === null ? null : placeOf(batch.row, job)
  const which = place === null ? counted(batch.rows, 'row') : describeRows(place, batch.rows, job)
  const text = `${what} has been in the classifier of worker ${name} for ${secondsOf(batch.seconds)}, with ${which}${usual(average)}`
  return wait(isSlow ? 'slow-batch' : unlessNew(waiting, worker, 'classifying'), text, {
    worker: name,
    since: facts.at - batch.seconds * 1000,
  })
}

function describeBatch({ jobs }: PipelineFacts, { job: id, row, rows, seconds }: BatchInHand): string {
  const layout = jobs.find(({ job }) => job.id === id)?.job
  const which = row === null || !layout ? counted(rows, 'row') : describeRows(placeOf(row, layout), rows, layout)
  return `${which} of job ${id}, which it has had for ${secondsOf(seconds)}`
}

/** `rowmill work on vm (process 4711)`. */
export function nameOf({ report: { command, host, pid } }: HeardProcess): string {
  return `rowmill ${command} on ${host} (process ${pid})`
}

/** Why a command ended, after ` ended`, if it told. */
export function reasonOf({ report: { failure } }: HeardProcess): string {
  return failure === undefined ? '' : `: ${failure.message} [${failure.code}]`
}

/** `0.4 s`, `14 s`, `3 min`, `2 h`. */
export function secondsOf(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}
