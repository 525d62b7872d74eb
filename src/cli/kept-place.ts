import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { startsOwn } from '../broker/kept/kept-broker.ts'
import { keptFolder } from '../broker/kept/kept-folder.ts'
import type { KeptPlace, UnfinishedRun } from '../run/run-options.ts'
import type { Say } from '../support/say.ts'
import { version } from '../support/version.ts'

/**
 * The longest IN whose rows go to a broker that other runs use. A longer one gets its own broker with its topics beside OUT:
 * there is room for them, and a second at the start does not matter.
 */
const MOST_BYTES = 64 * 1024 * 1024
/** Its rows are written there twice, as rows and as results. Both may be longer than in IN. */
const WRITTEN_TIMES = 4
/** A broker that has no room left ends, with all runs that use it. So a run does not go where room is scarce. */
const SPARE_BYTES = 256 * 1024 * 1024

export interface KeepOptions {
  readonly input: string
  readonly keep: boolean
  readonly runFile: { readonly path: string } | null
  readonly unfinished: UnfinishedRun | null
  readonly say: Say
}

/** Where the broker of this run stays. Null: it ends with the run. A run that is resumed goes where its topics are. */
export function keptPlace({ input, keep, runFile, unfinished, say }: KeepOptions): KeptPlace | null {
  if (runFile === null) return null
  const { path } = runFile
  if (unfinished !== null) return unfinished.keptIn ? { folder: unfinished.keptIn, runFile: path } : null
  const size = keep ? statSync(input, { throwIfNoEntry: false })?.size : undefined
  if (size === undefined || size > MOST_BYTES) return null
  const folder = keptFolder(version())
  const fault = folder === null ? 'this user has no home folder' : faultOfDisk(folder, size)
  if (fault === null) return { folder: folder!, runFile: path }
  say(startsOwn(fault), { level: 'warn' })
  return null
}

function faultOfDisk(folder: string, size: number): string | null {
  const isRoomy = freeBytes(folder) >= size * WRITTEN_TIMES + SPARE_BYTES
  return isRoomy ? null : `the disk of ${folder} has too little room`
}

/** Of the disk of a folder, which may have to be made. If that is impossible, whoever tries it says why. */
function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return Number.POSITIVE_INFINITY
    return freeBytes(dirname(folder))
  }
}
