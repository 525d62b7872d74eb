import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { PackMethod } from '../pandas/packing.ts'

/** Writes the content of a packed file to standard output. An archive holds one file, or none if that was empty. */
const UNPACK = `
import shutil, sys
method, path = sys.argv[1:]
source = None
if method in ('zip', 'tar'):
    import tarfile, zipfile
    archive = zipfile.ZipFile(path) if method == 'zip' else tarfile.open(path)
    names = archive.namelist() if method == 'zip' else archive.getnames()
    if len(names) > 1:
        sys.exit(f'it holds {len(names)} files instead of one')
    if names:
        source = archive.open(names[0]) if method == 'zip' else archive.extractfile(names[0])
elif method == 'bz2':
    import bz2
    source = bz2.open(path)
else:
    import lzma
    source = lzma.open(path)
if source:
    shutil.copyfileobj(source, sys.stdout.buffer, 1 << 18)`

/**
 * Decodes standard input strictly, and writes it as UTF-8. It encodes the text again: the bytes must be those that Python
 * makes of it. Several byte sequences may mean the same text, such as UTF-16 with and without a byte order mark.
 */
const DECODE = `
import codecs, hashlib, io, sys

encoding, seeks = sys.argv[1:]

class Tap(io.RawIOBase):
    def __init__(self, source=None):
        self.source, self.digest = source, hashlib.sha256()
    def readable(self):
        return True
    def writable(self):
        return True
    def seekable(self):
        return seeks == 'true' and self.source is None
    def seek(self, *to):
        return 0
    def readinto(self, into):
        read = self.source.readinto(into)
        self.digest.update(into[:read])
        return read
    def write(self, chunk):
        self.digest.update(chunk)
        return len(chunk)

there, again = Tap(sys.stdin.buffer), Tap()
encoder = io.TextIOWrapper(io.BufferedWriter(again), encoding, newline='')
name = codecs.lookup(encoding).name
if seeks != 'true' and name in ('utf-16', 'utf-32'):  # Python wrote no byte order mark
    name += '-le' if sys.byteorder == 'little' else '-be'
text = io.TextIOWrapper(io.BufferedReader(there), name, newline='')
out = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', newline='')
for line in text:
    encoder.write(line)
    out.write(line)
encoder.flush()
out.flush()
if there.digest.digest() != again.digest.digest():
    sys.exit(f'it is not encoded as {encoding} of Python encodes it')`

/** How a file holds its content: packed, encoded, or both. */
export interface FileContentForm {
  readonly method: PackMethod | null
  /** Null: UTF-8. */
  readonly encoding: string | null
  /** Whether the file object that to_csv wrote to could seek. */
  readonly seeks: boolean
  /** The Python that unpacks formats that Node lacks, and decodes. */
  readonly python: string
}

/** The content of a packed or encoded file in UTF-8, as a stream. The stream fails if the file has another format. */
export function readContent(path: string, { method, encoding, seeks, python }: FileContentForm): Readable {
  const bytes = method === null ? createReadStream(path) : readUnpacked(path, method, python)
  return encoding === null ? bytes : throughPython(python, [DECODE, encoding, String(seeks)], bytes)
}

/** Node unpacks gzip and zstd, the standard library of `python` unpacks the others. */
function readUnpacked(path: string, method: PackMethod, python: string): Readable {
  if (method === 'gzip') return pipeline(createReadStream(path), createGunzip(), () => {})
  if (method === 'zstd') return pipeline(createReadStream(path), createZstdDecompress(), () => {})
  return throughPython(python, [UNPACK, method, path], null)
}

/** What a script writes. It reads `input`, or nothing. */
function throughPython(python: string, script: readonly string[], input: Readable | null): Readable {
  const child = spawn(python, ['-I', '-c', ...script], { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  let fault: Error | null = null
  if (input)
    pipeline(input, child.stdin!, error => {
      // A child that fails stops reading, and says why.
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') fault = error
    })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-2000)
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (fault) reject(fault)
      else if (code === 0) resolve()
      else reject(new Error(said.trimEnd().split('\n').at(-1) || `${python} ended with ${code}`))
    })
  })
  ended.catch(() => {}) // the reader gets the error below
  return Readable.from(output(), { objectMode: false })

  async function* output(): AsyncGenerator<Buffer> {
    try {
      yield* child.stdout!
      await ended
    } finally {
      child.kill('SIGKILL')
    }
  }
}
