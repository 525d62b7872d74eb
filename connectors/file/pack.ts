import { createReadStream } from 'node:fs'
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress, constants as zlib } from 'node:zlib'
import { RowmillError } from '../../src/errors.ts'
import { isPackedByNode, type Packing } from '../../src/pandas/packing.ts'
import { filterByPython, pythonFlaw } from './python-filter.ts'

/** Packs standard input into standard output, which is a file, as pandas.io.common does. The size of the input is known. */
const PACK = `
import json, os, shutil, sys
method, path, size, args, mode = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5]
source, target = sys.stdin.buffer, sys.stdout.buffer
name = os.path.basename(path)
inside = args.pop('archive_name', None)

def copy(to):
    shutil.copyfileobj(source, to, 1 << 18)

if method == 'gzip':
    import gzip
    with gzip.GzipFile(filename=path, mode='wb', fileobj=target, **args) as packed:
        copy(packed)
        packed.flush()  # as pandas does before it closes, which shows in the bytes
elif method == 'bz2':
    import bz2
    with bz2.BZ2File(target, 'wb', **args) as packed:
        copy(packed)
elif method == 'xz':
    import lzma
    with lzma.LZMAFile(target, 'wb', **args) as packed:
        copy(packed)
elif method == 'zip':
    import time, zipfile
    with zipfile.ZipFile(target, 'w', compression=zipfile.ZIP_DEFLATED, **args) as archive:
        if size:
            info = zipfile.ZipInfo(inside or (name[:-4] if name.endswith('.zip') else name), time.localtime()[:6])
            info.compress_type, info.external_attr, info.file_size = zipfile.ZIP_DEFLATED, 0o600 << 16, size
            info._compresslevel = args.get('compresslevel')
            with archive.open(info, 'w') as packed:
                copy(packed)
else:
    import tarfile
    kind = os.path.splitext(name)[1]
    packs = kind in ('.gz', '.xz', '.bz2') and mode != 'x'  # with mode x pandas makes a plain archive
    with tarfile.open(path, 'w:' + kind[1:] if packs else 'w', fileobj=target) as archive:
        if size:
            info = tarfile.TarInfo(inside or (name[:-4] if name.endswith('.tar') else name))
            info.size = size
            archive.addfile(info, source)
target.flush()`

export interface PackOptions {
  readonly packing: Packing
  /** The argument `mode` of to_csv. */
  readonly mode: 'w' | 'a' | 'x'
  /** The Python whose standard library packs what Node cannot. */
  readonly python: string
  /** Ends the packing with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** Throws PYTHON_UNUSABLE if this machine cannot pack so. */
export async function checkPackable(
  path: string,
  { packing, python }: Pick<PackOptions, 'packing' | 'python'>,
): Promise<void> {
  if (isPackedByNode(packing)) return
  const needed = {
    gzip: 'gzip',
    bz2: 'bz2',
    zip: 'zipfile, zlib',
    xz: 'lzma',
    tar: 'tarfile, bz2, lzma, zlib',
    zstd: '',
  }
  const why = await pythonFlaw(python, `import ${needed[packing.method]}`)
  if (why === null) return
  throw new RowmillError(
    'PYTHON_UNUSABLE',
    `the standard library of Python packs OUT ${path} (${packing.method}), and ${python} cannot: ${why}. ` +
      'Name another one with --python PATH, or choose another OUT: .gz and .zst need no Python.',
    { path, python },
  )
}

/**
 * Packs the file at `from` into a new one at `to`. When it resolves, that file is safe on disk. `path` is the later name of
 * the packed file: some formats store it. Throws OUTPUT_FAILED, the error of the file system, or the reason of `signal`.
 * After a throw there is no file at `to`.
 */
export async function packFile(from: string, to: string, path: string, options: PackOptions): Promise<void> {
  await rm(to, { force: true }) // a process that was killed may have left one
  const target = await open(to, 'wx')
  try {
    const pack = isPackedByNode(options.packing) ? packByNode : packByPython
    await pack(from, target, { ...options, path })
    await target.sync()
  } catch (error) {
    await rm(to, { force: true })
    throw options.signal?.aborted ? options.signal.reason : error
  } finally {
    await target.close()
  }
}

type PackPlace = PackOptions & { readonly path: string }

async function packByNode(from: string, target: FileHandle, { packing, signal }: PackPlace): Promise<void> {
  const { method, args } = packing
  const packer =
    method === 'zstd'
      ? createZstdCompress({ params: { [zlib.ZSTD_c_compressionLevel]: Number(args['level'] ?? 3) } })
      : createGzip({ level: Number(args['compresslevel'] ?? 9) })
  // Not a write stream of the handle: it would close the handle, or wait forever for that.
  await pipeline(createReadStream(from), packer, chunks => target.writeFile(chunks), signal ? { signal } : {})
}

async function packByPython(from: string, target: FileHandle, options: PackPlace): Promise<void> {
  const { packing, mode, python, path, signal } = options
  const { size } = await stat(from)
  const args = [packing.method, basename(path), String(size), JSON.stringify(packing.args), mode]
  try {
    await filterByPython(from, target, { python, script: PACK, args, signal })
  } catch (cause) {
    const why = (cause as Error).message
    const message = `cannot pack ${path}: ${python}: ${why}. Is there room on the disk?`
    throw new RowmillError('OUTPUT_FAILED', message, { path }, { cause })
  }
}
