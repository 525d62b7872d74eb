import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { RowmillError } from '../errors.ts'

const QUESTION = `
import csv, io
text = io.StringIO()
csv.writer(text, lineterminator='\\n').writerow(['a\\rb'])
print(text.getvalue().startswith('"'))`

/**
 * Whether csv.writer of this Python quotes a cell for a lone carriage return: newer ones do, and so must the sink.
 * Null where there is no such program. Throws PYTHON_UNUSABLE.
 */
export async function csvQuotesCarriageReturn(python: string): Promise<boolean | null> {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', QUESTION])
    return stdout.trim() === 'True'
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    const why = (cause as Error).message.split('\n')[0]
    throw pythonUnusable(python, why, { cause })
  }
}

/** The error where it cannot be asked. */
export function pythonUnusable(python: string, why = 'there is no such program', options?: ErrorOptions): RowmillError {
  const message =
    `Python interpreter ${python} cannot be asked how it quotes CSV: ${why}. ` +
    'Name the one of the old job with --python PATH (it needs no pandas here).'
  return new RowmillError('PYTHON_UNUSABLE', message, { python }, options)
}
