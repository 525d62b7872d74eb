/** `--read` and `--write`: the calls of read_csv and to_csv as they stand in the original program. */

import { PandasSource } from '../../connectors/pandas-source.ts'
import { tcpAddress } from '../../connectors/tcp/address.ts'
import { moduleTarget } from '../classifier/module/module-target.ts'
import { leavesJob, RowmillError } from '../errors.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { type CheckedCalls, PandasReader } from '../python/pandas-reader.ts'
import { unlessAborted } from '../support/abort.ts'
import type { ShowOutput } from '../support/say.ts'
import type { Session } from './limits.ts'
import { sameCommand, withResumeCommand } from './resume-command.ts'

/** What the calls replace. */
const REPLACED = {
  read: ['readCsv', 'indexKind', 'delimiter'],
  write: ['toCsv', 'header'],
} as const

type PastedName = 'read' | 'write' | 'readCsv' | 'toCsv' | 'indexKind' | 'delimiter' | 'header'

type PastedValues = OptionValues<PastedName | 'lowMemory' | 'classifier' | 'python'>

/** The calls that were given, checked, and the source that reads as `--read` says, or null. */
export interface Pasted extends CheckedCalls {
  readonly source: PandasSource | null
}

/** Throws USAGE if an option says the same as a call, or if nothing can obey `--read`. Starts nothing. */
export function checkPasted(input: string, options: Omit<PastedValues, 'python'>): void {
  for (const call of ['read', 'write'] as const) {
    const both = REPLACED[call].filter(name => options[call] && isGiven(options, name))
    if (both.length === 0) continue
    const others = both.map(name => `--${OPTIONS[name].flag}`).join(' and ')
    const message = `--${call} and ${others} say the same: keep --${call}, with all arguments of the call, and leave out ${others}`
    throw new RowmillError('USAGE', message)
  }
  if (options.lowMemory && !options.read)
    throw new RowmillError(
      'USAGE',
      '--low-memory says how --read reads the file: give --read, or leave --low-memory out',
    )
  if (!options.read) return
  const refuse = (why: string) => new RowmillError('USAGE', `--read: ${why}`)
  if (tcpAddress(input)) throw refuse('pandas reads a file, not a connection. Give --read-csv')
  if (options.classifier && moduleTarget(options.classifier))
    throw refuse(`pandas makes frames for Python, and ${options.classifier} is not Python. Give --read-csv`)
}

export interface PastedUse {
  readonly input: string
  readonly options: PastedValues
  readonly session: Session
  /** Whether the command is for a job. An error then names the same command, because nothing was begun. */
  readonly forJob: boolean
}

/**
 * Checks the calls in a Python process, before anything else is started, and acts. `act` gets null if neither call was
 * given. Closes what it opened.
 */
export async function withPasted<T>(
  { input, options, session, forJob }: PastedUse,
  act: (pasted: Pasted | null) => Promise<T>,
): Promise<T> {
  checkPasted(input, options)
  const { read, write, lowMemory, python } = options
  if (!read && !write) return await act(null)
  const { terminal, say, signal } = session
  const classifier = options.classifier && !moduleTarget(options.classifier) ? options.classifier : null
  const onOutput: ShowOutput = (text, facts) => terminal.output(text, facts)
  const shared = { python, classifier, say, onOutput }
  const source = read ? new PandasSource({ ...shared, path: input, read, write, lowMemory }) : null
  const reader = source ?? new PandasReader({ ...shared, read: null, write })
  try {
    const calls = await unlessAborted(reader.check(), signal).catch(error => {
      throw forJob && leavesJob(error) ? withResumeCommand(error, sameCommand()) : error
    })
    if (source === null) await reader.close()
    return await act({ ...calls, source })
  } finally {
    await reader.close()
  }
}

function isGiven(options: Omit<PastedValues, 'python'>, name: PastedName): boolean {
  return JSON.stringify(options[name]) !== JSON.stringify(OPTIONS[name].fallback)
}
