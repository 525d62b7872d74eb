import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { unfinishedFolder } from '../../connectors/file/output-path.ts'
import { makePrivateFolder, readPrivate, replacePrivate } from '../../connectors/file/private-folder.ts'
import type { ClientInput } from '../options.ts'
import { identifySelf, isAlive, type ProcessIdentity } from '../support/process-identity.ts'
import { stateFolder } from '../support/state-folder.ts'
import { version } from '../support/version.ts'

/** What `rowmill status` needs to find a command on this machine, without --brokers. */
export interface CommandToNote {
  readonly command: 'run' | 'collect' | 'work'
  /** The file that it writes, as an absolute path, or `-` for standard output. Null: none. */
  readonly output: string | null
  /** Null: all jobs. */
  readonly job: string | null
  readonly pipeline: string
  /** How to reach its brokers, without passwords. */
  readonly cluster: readonly ClientInput[]
}

/** A command of this user that runs, or that was killed and can be resumed. */
export interface NotedCommand extends CommandToNote {
  readonly rowmill: string
  readonly host: string
  readonly process: ProcessIdentity
  /** When its note was written, in milliseconds since 1970. */
  readonly notedAt: number
}

/** Only this user may read what is in it, or write there. Null: this user has no home. */
export function notesFolder(): string | null {
  const state = stateFolder()
  return state === null ? null : join(state, 'rowmill', 'commands')
}

/** Notes this process, for `rowmill status`. Resolves with what removes the note. */
export async function noteCommand(noted: CommandToNote, folder = notesFolder()): Promise<() => Promise<void>> {
  if (folder === null) return async () => {}
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  await makePrivateFolder(folder)
  const path = join(folder, `${hostname()}-${process.pid}.json`)
  const who = { rowmill: version(), host: hostname(), process: identifySelf() }
  await replacePrivate(path, JSON.stringify({ ...who, ...noted } satisfies Omit<NotedCommand, 'notedAt'>))
  return () => rm(path, { force: true })
}

/** The commands of this machine that are noted, the latest first. Removes the notes of those that nobody can resume. */
export async function notedCommands(folder = notesFolder()): Promise<NotedCommand[]> {
  const names = folder === null ? [] : await readdir(folder).catch(() => [])
  const found = await Promise.all(names.filter(isNote).map(name => readNote(join(folder!, name)).catch(() => null)))
  return found.filter(note => note !== null).sort((a, b) => b.notedAt - a.notedAt)
}

const isNote = (name: string) => name.startsWith(`${hostname()}-`) && name.endsWith('.json')

async function readNote(path: string): Promise<NotedCommand | null> {
  const { mtimeMs: notedAt } = await stat(path)
  const note: NotedCommand = { ...JSON.parse(await readPrivate(path)), notedAt }
  if (note.rowmill !== version()) return null
  if (isAlive(note.process) || mayResume(note)) return note
  await rm(path, { force: true })
  return null
}

function mayResume({ output }: NotedCommand): boolean {
  return output !== null && output !== '-' && existsSync(unfinishedFolder(output))
}
