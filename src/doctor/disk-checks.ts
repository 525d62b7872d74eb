import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { quoteForShell } from '../support/shell.ts'
import { type Check, type CheckFinding, type DoctorContext, failure, ok, warning } from './check.ts'

const MB = 1024 * 1024
const LIMIT_MS = 5000

interface Folder {
  /** Null: this user has no home folder. */
  readonly path: string | null
  /** What we keep there. */
  readonly keeps: string
  /** Less than this is a failure. */
  readonly least: number
  /** Less than this is a warning. */
  readonly enough: number
  /** The cure, apart from removing files. */
  readonly elsewhere: string
  /** Whether the commands cannot do without it. */
  readonly isNeeded: boolean
  /** Whether the commands create it. */
  readonly isMade: boolean
}

/** Of the jars of Kafka, of the topics of a local broker, and of the output. */
export const DISK_CHECKS: readonly Check[] = [
  diskCheck('cache-disk', ({ machine, cluster }) => ({
    path: machine.cacheFolder,
    keeps: 'the jars of the local Kafka',
    least: 200 * MB,
    enough: 500 * MB,
    elsewhere: 'name a folder on another disk: export ROWMILL_CACHE=FOLDER',
    isNeeded: cluster === null,
    isMade: true,
  })),
  diskCheck('temporary-disk', ({ machine, cluster }) => ({
    path: machine.temporaryFolder,
    keeps: 'the topics of a local Kafka',
    least: 100 * MB,
    enough: 1024 * MB,
    elsewhere: 'name a folder on another disk: export TMPDIR=FOLDER',
    isNeeded: cluster === null,
    isMade: true,
  })),
]

export const OUT_CHECK: Check = diskCheck('out-disk', ({ out }) => ({
  path: dirname(resolve(out!)),
  keeps: 'OUT, and as much again until it is complete',
  least: 100 * MB,
  enough: 1024 * MB,
  elsewhere: 'write OUT to another disk',
  isNeeded: true,
  isMade: false,
}))

function diskCheck(name: string, folderOf: (context: DoctorContext) => Folder): Check {
  return {
    name,
    needs: [],
    limitMs: LIMIT_MS,
    run: async context => {
      const folder = folderOf(context)
      const found = await examine(folder, context)
      return found.status === 'failure' && !folder.isNeeded ? { ...found, status: 'warning' } : found
    },
  }
}

async function examine(
  { path, keeps, least, enough, elsewhere, isMade }: Folder,
  { machine }: DoctorContext,
): Promise<CheckFinding> {
  if (path === null)
    return failure('HOME is not set, and this user has no home folder', `${elsewhere}. It keeps ${keeps}`)
  const existing = await nearestExisting(path)
  const cure = `make room, or ${elsewhere}. It keeps ${keeps}`
  if (!(await isWritableFolder(existing)))
    return failure(`${existing} is no folder that this user may write to`, `${elsewhere}. It keeps ${keeps}`)
  if (existing !== path && !isMade)
    return failure(`there is no folder ${path}`, `create it: mkdir -p ${quoteForShell(path)}`)
  const free = await machine.freeBytes(existing)
  const text = `${path} has ${describeBytes(free)} free`
  if (free < least) return failure(text, cure)
  return free < enough ? warning(text, cure) : ok(text)
}

/** The folder itself, or the nearest one above it: what does not exist yet will be made there. */
async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path)
    return path
  } catch {
    const above = dirname(path)
    return above === path ? path : nearestExisting(above)
  }
}

async function isWritableFolder(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

function describeBytes(bytes: number): string {
  return bytes < 10 * 1024 * MB ? `${Math.floor(bytes / MB)} MB` : `${Math.floor(bytes / MB / 1024)} GB`
}
