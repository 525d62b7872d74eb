import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { identifySelf, isAlive, type ProcessIdentity } from '../../support/process-identity.ts'
import { stateFolder } from '../../support/state-folder.ts'
import { jvmArguments, KAFKA_VERSION, serverProperties } from '../jvm/broker-files.ts'
import { PRIVATE_FILE, PRIVATE_FOLDER } from '../jvm/data-folder.ts'

/** The longest path of a socket that every system takes. */
const MOST_SOCKET_BYTES = 100
const OF_OTHERS = 0o077

/** A run that has topics on a kept broker. */
interface KeptRun {
  /** Null: the run is over, and cannot be resumed. */
  readonly owner: ProcessIdentity | null
  /** The file that names the run while it can be resumed. Null: it cannot be resumed. */
  readonly runFile: string | null
  /** The file system of `runFile`. */
  readonly device: number | null
}

/**
 * Where a broker stays after a run: a folder for this user, this machine, this version of rowmill and these settings. It is not
 * in the cache or in a temporary folder, because a run that can be resumed has its topics there. Null: this user has no home.
 */
export function keptFolder(version: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const state = stateFolder(env)
  if (state === null) return null
  const ports = { broker: 1, controller: 2 }
  const login = { username: '', password: '' }
  const settings = [serverProperties({ data: '', ports, login }), jvmArguments('', '', [])]
  const kind = JSON.stringify([version, KAFKA_VERSION, hostname(), process.geteuid?.(), settings])
  return join(state, 'rowmill', `broker-${createHash('sha256').update(kind).digest('hex').slice(0, 8)}`)
}

/** The files of a kept broker, beside those of every broker (broker-files.ts). */
export function keptFiles(folder: string) {
  return {
    /** The socket of its keeper. */
    door: join(folder, 'door'),
    runs: join(folder, 'runs'),
    /** Who holds this lock starts the keeper, or removes the folder. It is beside the folder, which may be removed. */
    starting: `${folder}.lock`,
  }
}

/** Why this folder cannot be used, or null. Whoever owns it gets the rows, so it must be this user alone. */
export async function faultOf(folder: string): Promise<string | null> {
  if (Buffer.byteLength(keptFiles(folder).door) > MOST_SOCKET_BYTES) return 'its path is too long for a socket'
  const found = await lstat(folder).catch(() => null)
  if (found === null) return null
  if (!found.isDirectory()) return 'it is not a folder'
  if (process.geteuid !== undefined && found.uid !== process.geteuid()) return 'it belongs to another user'
  return (found.mode & OF_OTHERS) === 0 ? null : 'other users may enter it'
}

/** Notes that a run has topics here, before it creates them. */
export async function noteRun(folder: string, pipeline: string, runFile: string | null): Promise<void> {
  await mkdir(keptFiles(folder).runs, { recursive: true, mode: PRIVATE_FOLDER })
  const device = runFile === null ? null : deviceOf(runFile)
  await writeNote(folder, pipeline, { owner: identifySelf(), runFile, device })
}

/** Notes that nobody needs the topics of a run any more. */
export async function abandonRun(folder: string, pipeline: string): Promise<void> {
  await writeNote(folder, pipeline, { owner: null, runFile: null, device: null })
}

/** A keeper may read it at any time, and would take one that is written in part for that of a run that died. */
async function writeNote(folder: string, pipeline: string, run: KeptRun): Promise<void> {
  const written = join(folder, `${pipeline}.new`)
  await writeFile(written, JSON.stringify(run), { mode: PRIVATE_FILE })
  await rename(written, noteOf(folder, pipeline))
}

/** Forgets a run whose topics are deleted. */
export async function forgetRun(folder: string, pipeline: string): Promise<void> {
  await rm(noteOf(folder, pipeline), { force: true })
}

/** The pipelines that have topics here: those that somebody needs, and those of runs that are complete or discarded. */
export async function runsIn(folder: string): Promise<{ needed: string[]; abandoned: string[] }> {
  const names = await readdir(keptFiles(folder).runs).catch(() => [])
  const found = { needed: [] as string[], abandoned: [] as string[] }
  for (const name of names) {
    const pipeline = name.slice(0, -'.json'.length)
    ;(await isNeeded(folder, pipeline)) ? found.needed.push(pipeline) : found.abandoned.push(pipeline)
  }
  return found
}

/** The files of the runs that have topics here and can be resumed while those exist. */
export async function runFilesIn(folder: string): Promise<string[]> {
  const { needed } = await runsIn(folder)
  const notes = await Promise.all(needed.map(pipeline => readNote(folder, pipeline).catch(() => null)))
  return notes.flatMap(note => (note?.runFile ? [note.runFile] : []))
}

async function readNote(folder: string, pipeline: string): Promise<KeptRun> {
  return JSON.parse(await readFile(noteOf(folder, pipeline), 'utf8'))
}

async function isNeeded(folder: string, pipeline: string): Promise<boolean> {
  let run: KeptRun
  try {
    run = await readNote(folder, pipeline)
  } catch {
    return false // its writer died before it had topics, or has just removed it
  }
  if (run.owner === null) return false
  if (isAlive(run.owner)) return true
  if (run.runFile === null) return false
  try {
    return (await readFile(run.runFile, 'utf8')).includes(JSON.stringify(pipeline))
  } catch (error) {
    // Where its disk is not mounted, the file is missing too. Then the run may still be resumed.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT' || deviceOf(run.runFile) !== run.device
  }
}

/** The file system of a path, or of the nearest folder above it that exists. */
function deviceOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.dev ?? deviceOf(dirname(path))
}

function noteOf(folder: string, pipeline: string): string {
  return join(keptFiles(folder).runs, `${pipeline}.json`)
}
