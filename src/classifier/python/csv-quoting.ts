import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { RowmillError } from '../../errors.ts'
import { OPTIONS } from '../../options.ts'
import type { Say } from '../../support/say.ts'

const QUESTION = `
import csv, io
text = io.StringIO()
csv.writer(text, lineterminator='\\n').writerow(['a\\rb'])
print(text.getvalue().startswith('"'))`

/**
 * Whether csv.writer of this Python quotes a cell because of a lone carriage return, as newer Pythons do. The sink does the
 * same. Null if there is no such program. Throws PYTHON_UNUSABLE, or the reason of `signal`, which ends the program.
 */
export async function csvQuotesCarriageReturn(python: string, signal?: AbortSignal): Promise<boolean | null> {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', QUESTION], signal ? { signal } : {})
    return stdout.trim() === 'True'
  } catch (cause) {
    signal?.throwIfAborted()
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    const why = (cause as Error).message.split('\n')[0]
    throw pythonUnusable(python, why, { cause })
  }
}

/**
 * Whether the Python of the original job quotes a lone carriage return. If the user named no Python and there is no
 * `python3`, it answers as a newer Python would and logs that: the classifier may not be Python. Throws PYTHON_UNUSABLE if
 * a named Python is missing, and the reason of `signal`.
 */
export async function quotesCarriageReturn(python: string, say: Say, signal?: AbortSignal): Promise<boolean> {
  const quotes = await csvQuotesCarriageReturn(python, signal)
  if (quotes !== null) return quotes
  if (python !== OPTIONS.python.fallback) throw pythonUnusable(python)
  say(
    `there is no ${python}: cells with a carriage return are quoted, as newer Pythons do. For another Python give --python PATH`,
    { level: 'warn' },
  )
  return true
}

/** The error if this Python cannot be run. */
function pythonUnusable(python: string, why = 'there is no such program', options?: ErrorOptions): RowmillError {
  const message =
    `Python interpreter ${python} cannot be asked how it quotes CSV: ${why}. ` +
    'Name the interpreter of the original job with --python PATH (it needs no pandas here).'
  return new RowmillError('PYTHON_UNUSABLE', message, { python }, options)
}
