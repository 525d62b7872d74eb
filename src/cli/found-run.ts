import { existsSync, statSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { unfinishedFolder } from '../../connectors/file/output-path.ts'
import { readPrivate } from '../../connectors/file/private-folder.ts'
import { brokerFiles } from '../broker/jvm/broker-files.ts'
import { visit } from '../broker/kept/door.ts'
import { keptFiles, keptFolder, runFilesIn } from '../broker/kept/kept-folder.ts'
import type { ClientInput } from '../options.ts'
import { isAlive, type ProcessIdentity } from '../support/process-identity.ts'
import { commandLine } from '../support/shell.ts'
import { version } from '../support/version.ts'
import type { NotedCommand } from './noted-commands.ts'
import { RunFile, type SavedRun } from './run-file.ts'
import type { RunValues } from './run-options.ts'

/** How often to look at the file of a run. */
export const LOOK_MS = 500

/** A run that is not complete, as its file says. */
export interface FoundRun {
  readonly output: string
  readonly job: string
  readonly pipeline: string
  /** When its file was written last, in milliseconds since 1970: it began or was resumed then. */
  readonly changedAt: number
  /** The machine and the process that began or resumed it last. */
  readonly host: string
  readonly process: ProcessIdentity
  /** How to reach the brokers that have its topics. Null: they ended with the run. */
  readonly cluster: readonly ClientInput[] | null
  /** The command that resumes it, ready to copy. Null: a standard stream is one of its ends, so nobody can. */
  readonly resume: string | null
}

/** The run that writes this file, or null if none has begun. Throws as `RunFile.read` does. */
export async function runOf(output: string): Promise<FoundRun | null> {
  const file = new RunFile<RunValues>(output)
  return file.exists ? found(await file.read(), file) : null
}

/** The run as it is now. Null: it is over. */
export async function lookAgain(run: FoundRun): Promise<FoundRun | null> {
  if (run.resume === null) return isRunning(run) ? run : null
  return await runOf(run.output)
}

/**
 * Resolves when a run is over: it is complete, or it failed for good. `seen` gets it as it is meanwhile. Throws the reason of
 * `signal`.
 */
export async function untilOver(
  run: FoundRun,
  signal: AbortSignal,
  seen: (now: FoundRun) => void = () => {},
): Promise<void> {
  for (let now = await lookAgain(run); now !== null; now = await lookAgain(run)) {
    seen(now)
    await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/**
 * The runs of this user that are not complete, the latest first: those that use the kept broker, those that write a file in
 * this folder, and those of `notes`. A run whose process has ended comes after those that run.
 */
export async function findRuns(
  folder = process.cwd(),
  kept = keptFolder(version()),
  notes: readonly NotedCommand[] = [],
): Promise<FoundRun[]> {
  const noted = notes.filter(({ command }) => command === 'run')
  const beside = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.rowmill'))
  const paths = [
    ...(kept === null ? [] : await runFilesIn(kept)),
    ...beside.map(name => join(folder, name, 'run.json')),
    ...noted.map(({ output }) => join(unfinishedFolder(output!), 'run.json')),
  ].filter(path => existsSync(path))
  const unique = new Set(await Promise.all(paths.map(path => realpath(path))))
  const runs = await Promise.all([...unique].map(path => readRun(path).catch(() => null))) // it may just have become complete
  const known = new Set(runs.map(run => run?.job))
  const streams = noted.filter(({ job, process }) => !known.has(job!) && isAlive(process)).map(ofNote)
  return [...runs, ...streams]
    .filter(run => run !== null)
    .sort((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || b.changedAt - a.changedAt)
}

/** Whether the process of a run is there. One of another machine is taken to be. */
export function isRunning({ host, process }: Pick<FoundRun, 'host' | 'process'>): boolean {
  return host !== hostname() || isAlive(process)
}

/** A run from or to a standard stream. */
export function ofNote({ output, job, pipeline, cluster, host, process, notedAt }: NotedCommand): FoundRun {
  return { output: output!, job: job!, pipeline, cluster, host, process, changedAt: notedAt, resume: null }
}

async function readRun(path: string): Promise<FoundRun | null> {
  const { output, rowmill }: SavedRun<RunValues> = JSON.parse(await readPrivate(path))
  return rowmill === version() ? runOf(output) : null
}

async function found(saved: SavedRun<RunValues>, file: RunFile<RunValues>): Promise<FoundRun> {
  const { output, job, pipeline, host, process } = saved
  const again = saved.options.config === null ? [] : ['--config', saved.options.config]
  return {
    output,
    job,
    pipeline,
    changedAt: statSync(file.path).mtimeMs,
    host,
    process,
    cluster: await clusterOf(saved, file),
    resume: commandLine(['rowmill', 'run', '--resume', output, ...again]),
  }
}

/** The brokers that have the topics of a run. One that ends with the run leaves its file if the run was killed. */
async function clusterOf(
  saved: SavedRun<RunValues>,
  { brokerData }: RunFile<RunValues>,
): Promise<readonly ClientInput[] | null> {
  const { options, keptIn = null } = saved
  const ofBroker = (folder: string) => {
    const { client: file } = brokerFiles(folder)
    return existsSync(file) ? [{ file }] : null
  }
  if (keptIn !== null) return (await isKept(keptIn)) ? ofBroker(keptIn) : null
  if (options.property.length > 0) return options.property
  return brokerData !== null && isRunning(saved) ? ofBroker(brokerData) : null
}

async function isKept(folder: string): Promise<boolean> {
  const visited = await visit(keptFiles(folder).door, 'look')
  if (typeof visited === 'string') return false
  visited.leave()
  return true
}
