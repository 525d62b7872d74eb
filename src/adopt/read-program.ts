import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RowmillError } from '../errors.ts'

/** One end of the job: the call that reads the frame, or the one that writes it. */
export interface JobEnd {
  readonly line: number
  /** `line 12`, or `cell 3, line 2` of a notebook. */
  readonly place: string
  /** The file, or null if the text of the program does not tell it. */
  readonly file: string | null
  /** The value of --read or --write. */
  readonly call: string
}

/** The job that a program does, as rowmill runs it. */
export interface FoundJob {
  readonly read: JobEnd
  readonly write: JobEnd
  /** The value of --classifier. */
  readonly classifier: string
  /** The value of --rows: any if the work drops or multiplies rows. */
  readonly rows: 'one' | 'any'
  /** The text of the new module, or null if the program has a function that can be named as it is. */
  readonly module: string | null
}

/**
 * What adopt says about a line. look: the user has to decide or change something. sign: the function seems to look at other
 * rows. note: there is nothing to do.
 */
export interface ProgramNote {
  readonly kind: 'look' | 'sign' | 'note'
  readonly line: number
  readonly place: string
  readonly text: string
}

export interface ProgramReading {
  readonly found: FoundJob | null
  readonly notes: readonly ProgramNote[]
  /** Whether the command does what the program did, as far as its text tells: no look and no sign. */
  readonly done: boolean
}

const ADOPT = fileURLToPath(new URL('./adopt.py', import.meta.url))
const MOST_BYTES = 64 * 1024 * 1024

/**
 * Reads an old program in a Python of its own, which parses it and runs nothing of it. `module` is the file that a new module
 * would get. Throws INPUT_NOT_FOUND, PROGRAM_UNREADABLE, PYTHON_UNUSABLE, or the reason of `signal`.
 */
export async function readProgram(
  path: string,
  { module, python, signal }: { readonly module: string; readonly python: string; readonly signal?: AbortSignal },
): Promise<ProgramReading> {
  await access(path).catch(cause => {
    throw new RowmillError('INPUT_NOT_FOUND', `program ${path} cannot be opened. Check the path.`, { path }, { cause })
  })
  const answer = JSON.parse(await ask(python, [path, module], signal)) as ProgramReading & {
    readonly unreadable?: string
  }
  if (answer.unreadable) throw new RowmillError('PROGRAM_UNREADABLE', answer.unreadable, { path })
  return answer
}

async function ask(python: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  // -I: neither the folder of the user nor PYTHONPATH can put a module in the place of one of Python's own.
  const words = ['-I', '-B', ADOPT, ...args]
  try {
    const options = { maxBuffer: MOST_BYTES, ...(signal ? { signal } : {}) }
    return (await promisify(execFile)(python, words, options)).stdout
  } catch (cause) {
    signal?.throwIfAborted()
    const { code, stderr = '' } = cause as NodeJS.ErrnoException & { stderr?: string }
    const why =
      code === 'ENOENT' ? 'there is no such program' : stderr.trim().split('\n').at(-1) || (cause as Error).message
    const message = `Python interpreter ${python} cannot read the program: ${why}. Name a Python 3.8 or later with --python PATH.`
    throw new RowmillError('PYTHON_UNUSABLE', message, { python }, { cause })
  }
}
