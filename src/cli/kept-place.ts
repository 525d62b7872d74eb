import { statSync } from 'node:fs'
import { startsOwn } from '../broker/kept/kept-broker.ts'
import { keptFolder } from '../broker/kept/kept-folder.ts'
import type { KeptPlace, UnfinishedRun } from '../run/run-options.ts'
import { freeDiskBytesOnceMade } from '../support/free-disk.ts'
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
export async function keptPlace({ input, keep, runFile, unfinished, say }: KeepOptions): Promise<KeptPlace | null> {
  if (runFile === null) return null
  const { path } = runFile
  if (unfinished !== null) return unfinished.keptIn ? { folder: unfinished.keptIn, runFile: path } : null
  const size = keep ? statSync(input, { throwIfNoEntry: false })?.size : undefined
  if (size === undefined || size > MOST_BYTES) return null
  const folder = keptFolder(version())
  const fault = folder === null ? 'this user has no home folder' : await faultOfDisk(folder, size)
  if (fault === null) return { folder: folder!, runFile: path }
  say(startsOwn(fault), { level: 'warn' })
  return null
}

/** If the room cannot be told, whoever makes the folder says why. */
async function faultOfDisk(folder: string, size: number): Promise<string | null> {
  const free = await freeDiskBytesOnceMade(folder).catch(() => Number.POSITIVE_INFINITY)
  const isRoomy = free >= size * WRITTEN_TIMES + SPARE_BYTES
  return isRoomy ? null : `the disk of ${folder} has too little room`
}
