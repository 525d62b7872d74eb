import { existsSync, statSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readPrivate } from '../../connectors/file/private-folder.ts'
import { brokerFiles } from '../broker/jvm/broker-files.ts'
import { visit } from '../broker/kept/door.ts'
import { keptFiles, keptFolder, runFilesIn } from '../broker/kept/kept-folder.ts'
import type { ClientInput } from '../options.ts'
import { isAlive, type ProcessIdentity } from '../support/process-identity.ts'
import { commandLine } from '../support/shell.ts'
import { version } from '../support/version.ts'
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
  /** The command that resumes it, ready to copy. */
  readonly resume: string
}

/** The run that writes this file, or null if none has begun. Throws as `RunFile.read` does. */
export async function runOf(output: string): Promise<FoundRun | null> {
  const file = new RunFile<RunValues>(output)
  return file.exists ? found(await file.read(), file) : null
}

/** Resolves when the file of a run is gone: the run is complete, or it failed for good. Throws the reason of `signal`. */
export async function untilOver({ output }: FoundRun, signal: AbortSignal): Promise<void> {
  while ((await runOf(output)) !== null)
    await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
}

/**
 * The runs of this user that are not complete, the latest first: those that use the kept broker, and those that write a file in
 * this folder. A run whose process has ended comes after those that run.
 */
export async function findRuns(folder = process.cwd(), kept = keptFolder(version())): Promise<FoundRun[]> {
  const beside = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.rowmill'))
  const paths = [
    ...(kept === null ? [] : await runFilesIn(kept)),
    ...beside.map(name => join(folder, name, 'run.json')),
  ].filter(path => existsSync(path))
  const unique = new Set(await Promise.all(paths.map(path => realpath(path))))
  const runs = await Promise.all([...unique].map(path => readRun(path).catch(() => null))) // it may just have become complete
  return runs
    .filter(run => run !== null)
    .sort((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || b.changedAt - a.changedAt)
}

/** Whether the process of a run is there. One of another machine is taken to be. */
export function isRunning({ host, process }: Pick<FoundRun, 'host' | 'process'>): boolean {
  return host !== hostname() || isAlive(process)
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
