import { existsSync, statSync } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readPrivate } from '../../connectors/file/private-folder.ts'
import { brokerFiles } from '../broker/jvm/broker-files.ts'
import { visit } from '../broker/kept/door.ts'
import { keptFiles, keptFolder, runFilesIn } from '../broker/kept/kept-folder.ts'
import type { ClientInput } from '../options.ts'
import { isAlive } from '../support/process-identity.ts'
import { commandLine } from '../support/shell.ts'
import { RunFile, type SavedRun } from './run-file.ts'
import type { RunValues } from './run-options.ts'
import { version } from './version.ts'

/** A run that is not complete, as its file says. */
export interface FoundRun {
  readonly output: string
  readonly job: string
  readonly pipeline: string
  /** When its file was written last, in milliseconds since 1970: it began or was resumed then. */
  readonly changedAt: number
  /** Whether its process runs. A process of another machine is taken to run. */
  readonly isAlive: boolean
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
    .sort((a, b) => Number(b.isAlive) - Number(a.isAlive) || b.changedAt - a.changedAt)
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
    isAlive: host !== hostname() || isAlive(process),
    cluster: await clusterOf(saved, file),
    resume: commandLine(['rowmill', 'run', '--resume', output, ...again]),
  }
}

/**
 * A local broker removes the file for its clients when it ends, and so does whoever cleans up after it. A kept broker that was
 * killed leaves it.
 */
async function clusterOf(
  { options, keptIn }: SavedRun<RunValues>,
  { brokerData }: RunFile<RunValues>,
): Promise<readonly ClientInput[] | null> {
  const folder = keptIn ?? brokerData
  const file = folder === null ? null : brokerFiles(folder).client
  if (file !== null && existsSync(file)) return keptIn && !(await isKept(keptIn)) ? null : [{ file }]
  return keptIn || options.property.length === 0 ? null : options.property
}

async function isKept(folder: string): Promise<boolean> {
  const visited = await visit(keptFiles(folder).door, 'look')
  if (typeof visited === 'string') return false
  visited.leave()
  return true
}
