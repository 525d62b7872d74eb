import { statSync } from 'node:fs'
import { keptFolder } from '../broker/kept/kept-folder.ts'
import type { KeptPlace, UnfinishedRun } from '../run/run-options.ts'
import { version } from './version.ts'

/**
 * The longest IN whose rows go to a broker that other runs use. A longer one gets its own broker with its topics beside OUT:
 * there is room for them, and a second at the start does not matter.
 */
const MOST_BYTES = 64 * 1024 * 1024

export interface KeepOptions {
  readonly input: string
  readonly keep: boolean
  readonly runFile: { readonly path: string } | null
  readonly unfinished: UnfinishedRun | null
}

/** Where the broker of this run stays. Null: it ends with the run. A run that is resumed goes where its topics are. */
export function keptPlace({ input, keep, runFile, unfinished }: KeepOptions): KeptPlace | null {
  if (runFile === null) return null
  const { path } = runFile
  if (unfinished !== null) return unfinished.keptIn ? { folder: unfinished.keptIn, runFile: path } : null
  return keep && isShort(input) ? { folder: keptFolder(version()), runFile: path } : null
}

function isShort(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  return size !== undefined && size <= MOST_BYTES
}
