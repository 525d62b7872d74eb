import { keyOf } from '../kafka/topic-partition.ts'
import { SILENT_SECONDS, type WorkerReport } from '../reports/report.ts'
import type { PipelineFacts } from './facts.ts'
import type { HeardProcess } from './report-board.ts'
import type { ProcessView, WorkerView } from './view.ts'

/** `HOST-PID-NUMBER`, as rowmill names its workers. The process is that of their supervisor. */
const NAME = /^(.+)-\d+-\d+$/

/** If no report came for so long, nothing changed: the worker still has the same batch. Before that it may have had many. */
const SAME_BATCH_SECONDS = 3

export function processViews(heard: readonly HeardProcess[]): ProcessView[] {
  return heard.map(({ report, state }) => {
    const { process, command, host, pid, rowmill, startedAt, publishing, collecting } = report
    const job = publishing?.job ?? collecting?.job ?? null
    return { process, command, host, pid, rowmill, startedAt, state, job }
  })
}

/** The workers that report, and the members of the group that do not. */
export function workerViews(facts: PipelineFacts, heard: readonly HeardProcess[]): WorkerView[] {
  const reported = heard.flatMap(process =>
    (process.report.working?.workers ?? []).map(worker => reportedWorker(facts, process, worker)),
  )
  const names = new Set(reported.map(({ name }) => name))
  return withoutTaken([...reported, ...membersWithout(facts, names)])
}

/** What a silent worker had, and another one has now, is no longer its own. */
function withoutTaken(workers: readonly WorkerView[]): WorkerView[] {
  const isThere = ({ state }: WorkerView) => state !== 'silent' && state !== 'gone'
  const taken = new Set(workers.filter(isThere).flatMap(({ partitions }) => partitions.map(keyOf)))
  return workers.map(worker => {
    if (isThere(worker)) return worker
    return { ...worker, partitions: worker.partitions.filter(at => !taken.has(keyOf(at))) }
  })
}

function reportedWorker(facts: PipelineFacts, heard: HeardProcess, worker: WorkerReport): WorkerView {
  const { name, partitions, batch, rows, rejected, restarts, time = null } = worker
  const { classifierRestarts = {}, secondsPerRow = null } = worker
  const { process, host } = heard.report
  const silentSeconds = worker.heardSeconds + heard.silentSeconds
  const sinceReport = heard.quietSeconds > SAME_BATCH_SECONDS ? heard.quietSeconds : 0
  return {
    ...{ name, host, pid: worker.pid ?? null, process, silentSeconds, partitions, rows, rejected, restarts, time },
    ...{ classifierRestarts, secondsPerRow },
    state: stateOf(facts, heard, worker),
    batch: batch && { ...batch, seconds: batch.seconds + sinceReport },
    rowsPerSecond: facts.workerRows.get(name)?.window.rate(facts.at) ?? 0,
  }
}

/** A silent worker that its group has expelled was killed, or has lost the broker. */
function stateOf(facts: PipelineFacts, heard: HeardProcess, worker: WorkerReport): WorkerView['state'] {
  if (heard.state === 'silent' && isOfGroup(facts, heard) && !isMember(facts, worker.name)) return 'gone'
  if (heard.state !== 'running') return heard.state
  return worker.heardSeconds > SILENT_SECONDS ? 'silent' : worker.state
}

function membersWithout({ group, workerRows, at }: PipelineFacts, names: ReadonlySet<string>): WorkerView[] {
  return (group?.members ?? []).flatMap(({ clientId, host, partitions }) => {
    const name = nameOf(clientId, [...names, ...workerRows.keys()])
    if (names.has(name)) return []
    const { window, rows = 0, rejected = 0 } = workerRows.get(name) ?? {}
    const [, machine = host] = NAME.exec(name) ?? []
    const rowsPerSecond = window?.rate(at) ?? 0
    const state = rowsPerSecond > 0 ? 'busy' : 'idle'
    return [
      {
        ...{ name, host: machine, pid: null, process: null, state, silentSeconds: 0 },
        ...{ partitions, batch: null, rows, rowsPerSecond, rejected, restarts: 0, time: null },
        ...{ classifierRestarts: {}, secondsPerRow: null },
      } satisfies WorkerView,
    ]
  })
}

/** A user may put a name of the cluster's before the name of the worker (`client.id`). */
function nameOf(clientId: string, known: readonly string[]): string {
  return known.find(name => clientId === name || clientId.endsWith(`-${name}`)) ?? clientId
}

/** Whether the workers of a process are in the group. Those of a `run` are not, if its pipeline is its own. */
function isOfGroup({ group }: PipelineFacts, { report }: HeardProcess): boolean {
  return group !== null && report.command === 'work'
}

function isMember({ group }: PipelineFacts, name: string): boolean {
  return group?.members.some(({ clientId }) => nameOf(clientId, [name]) === name) ?? false
}

/** The worker of each partition, by `keyOf`. The group decides. A `run` of its own has none: its workers report what they have. */
export function ownersOf(
  facts: PipelineFacts,
  { heard, workers }: { readonly heard: readonly HeardProcess[]; readonly workers: readonly WorkerView[] },
): Map<string, WorkerView> {
  const { group } = facts
  const owners = new Map<string, WorkerView>()
  const ofGroup = new Set(heard.filter(process => isOfGroup(facts, process)).map(({ report }) => report.process))
  for (const worker of workers) {
    if (worker.state === 'gone' || ofGroup.has(worker.process ?? '')) continue
    for (const at of worker.partitions) owners.set(keyOf(at), worker)
  }
  const names = workers.map(({ name }) => name)
  for (const { clientId, partitions } of group?.members ?? []) {
    const worker = workers.find(({ name }) => name === nameOf(clientId, names))
    if (worker) for (const at of partitions) owners.set(keyOf(at), worker)
  }
  return owners
}
