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
 * Whether csv.writer of this Python quotes a cell for a lone carriage return: newer ones do, and so must the sink.
 * Null where there is no such program. Throws PYTHON_UNUSABLE, and the reason of `signal`, which ends the program.
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
 * As the old job's Python does. Where there is no `python3` and none was named, as newer Pythons do, and `say` is told:
 * the classifier may not be Python. Throws PYTHON_UNUSABLE where a Python that was named is not there, and the reason of
 * `signal`.
 */
export async function quotesCarriageReturn(python: string, say: Say, signal?: AbortSignal): Promise<boolean> {
  const quotes = await csvQuotesCarriageReturn(python, signal)
  if (quotes !== null) return quotes
  if (python !== OPTIONS.python.fallback) throw pythonUnusable(python)
  say(
    `there is no ${python} here: cells with a carriage return are quoted, as newer Pythons do (else give --python PATH)`,
  )
  return true
}

/** The error where it cannot be asked. */
export function pythonUnusable(python: string, why = 'there is no such program', options?: ErrorOptions): RowmillError {
  const message =
    `Python interpreter ${python} cannot be asked how it quotes CSV: ${why}. ` +
    'Name the one of the old job with --python PATH (it needs no pandas here).'
  return new RowmillError('PYTHON_UNUSABLE', message, { python }, options)
}
