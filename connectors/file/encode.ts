import { open, rm } from 'node:fs/promises'
import { RowmillError } from '../../src/errors.ts'
import type { FileForm } from '../../src/pandas/to-csv.ts'
import { filterByPython, pythonFlaw } from './python-filter.ts'

/**
 * Encodes standard input, which is UTF-8, onto the end of standard output, which is a file. It writes line by line through
 * the class that pandas' to_csv writes through, so the bytes are the same: a byte order mark only begins a file. Where that
 * class cannot seek, as in a .bz2, it writes no mark of UTF-16 and UTF-32.
 */
const ENCODE = `
import io, sys
encoding, errors, seeks = sys.argv[1:]
class Target(io.BufferedWriter):
    def seekable(self):
        return seeks == 'true'
target = Target(sys.stdout.buffer.raw)
target.seek(0, 2)
text = io.TextIOWrapper(target, encoding, errors, newline='')
for line in io.TextIOWrapper(sys.stdin.buffer, 'utf-8', newline=''):
    text.write(line)
text.flush()`

const CHECK = `
import codecs, sys
''.encode(sys.argv[1])
codecs.lookup_error(sys.argv[2])`

export interface EncodeOptions {
  readonly encoding: string
  readonly errors: FileForm['errors']
  /** Whether the file object that to_csv writes to can seek. */
  readonly seeks: boolean
  /** The Python whose codec encodes. */
  readonly python: string
  /** The later name of the file, for messages. */
  readonly path: string
  readonly signal?: AbortSignal | undefined
}

/** Throws PYTHON_UNUSABLE or USAGE if this machine cannot encode so. */
export async function checkEncodable(
  options: Pick<EncodeOptions, 'encoding' | 'errors' | 'python' | 'path'>,
): Promise<void> {
  const { encoding, errors, python, path } = options
  const why = await pythonFlaw(python, CHECK, [encoding, errors])
  if (why === null) return
  if (/^LookupError/.test(why)) {
    const message = `--to-csv encoding=${JSON.stringify(encoding)}, errors=${JSON.stringify(errors)}: ${why.replace(/^LookupError: /, '')} in ${python}. Correct the name`
    throw new RowmillError('USAGE', message, { argument: 'encoding', value: encoding })
  }
  const message = `the codecs of Python write OUT ${path} (${encoding}), and ${python} cannot: ${why}. Name another one with --python PATH, or leave the encoding out`
  throw new RowmillError('PYTHON_UNUSABLE', message, { path, python })
}

/**
 * Appends the UTF-8 text of the file at `from`, encoded, to the file at `to`, which need not exist. When it resolves, that
 * file is safe on disk. Throws OUTPUT_FAILED, or the reason of `signal`. After a throw there is no file at `to`.
 */
export async function encodeFile(from: string, to: string, options: EncodeOptions): Promise<void> {
  const { encoding, errors, seeks, python, path, signal } = options
  const target = await open(to, 'a+')
  try {
    await filterByPython(from, target, { python, script: ENCODE, args: [encoding, errors, String(seeks)], signal })
    await target.sync()
  } catch (cause) {
    await rm(to, { force: true })
    signal?.throwIfAborted()
    const message = `cannot write ${path} in the encoding ${encoding}: ${(cause as Error).message}`
    throw new RowmillError('OUTPUT_FAILED', message, { path, encoding }, { cause })
  } finally {
    await target.close()
  }
}
