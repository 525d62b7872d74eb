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
 * Throws PYTHON_UNUSABLE.
 */
export async function csvQuotesCarriageReturn(python: string): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', QUESTION])
    return stdout.trim() === 'True'
  } catch (cause) {
    const why = (cause as Error).message.split('\n')[0]
    const message =
      `Python interpreter ${python} cannot be asked how it quotes CSV: ${why}. ` +
      'Name the one of the old job with --python PATH (it needs no pandas here).'
    throw new RowmillError('PYTHON_UNUSABLE', message, { python }, { cause })
  }
}
