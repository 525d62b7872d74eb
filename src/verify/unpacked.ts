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
 * The content of a packed file, as a stream. The stream fails if the file has another format. Node unpacks gzip and zstd,
 * the standard library of `python` unpacks the others.
 */
export function readUnpacked(path: string, method: PackMethod, python: string): Readable {
  if (method === 'gzip') return pipeline(createReadStream(path), createGunzip(), () => {})
  if (method === 'zstd') return pipeline(createReadStream(path), createZstdDecompress(), () => {})
  const child = spawn(python, ['-I', '-c', UNPACK, method, path], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-2000)
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve()
      else reject(new Error(said.trimEnd().split('\n').at(-1) || `${python} ended with ${code}`))
    })
  })
  ended.catch(() => {}) // the reader gets the error below
  const { stdout } = child
  return Readable.from(unpacked(), { objectMode: false })

  async function* unpacked(): AsyncGenerator<Buffer> {
    try {
      yield* stdout
      await ended
    } finally {
      child.kill('SIGKILL')
    }
  }
}
