import { RowmillError } from '../errors.ts'

/** How pandas packs a file (pandas.io.common.extension_to_compression). */
export type PackMethod = 'gzip' | 'bz2' | 'zip' | 'xz' | 'zstd' | 'tar'

/** How a file is packed: method and arguments, as in pandas' `compression`. */
export interface Packing {
  readonly method: PackMethod
  readonly args: Readonly<Record<string, unknown>>
}

const EXTENSIONS: readonly (readonly [string, PackMethod])[] = [
  ['.tar', 'tar'],
  ['.tar.gz', 'tar'],
  ['.tar.bz2', 'tar'],
  ['.tar.xz', 'tar'],
  ['.gz', 'gzip'],
  ['.bz2', 'bz2'],
  ['.zip', 'zip'],
  ['.xz', 'xz'],
  ['.zst', 'zstd'],
]

interface PackingArgument {
  readonly rule: string
  readonly accepts: (value: unknown) => boolean
}

const whole = (from: number, to: number): PackingArgument => ({
  rule: `a whole number from ${from} to ${to}`,
  accepts: value => Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to,
})
const archiveName: PackingArgument = {
  rule: 'the name of the file in the archive, a text',
  accepts: value => typeof value === 'string' && value !== '',
}

const ARGUMENTS: Readonly<Record<PackMethod, Readonly<Record<string, PackingArgument>>>> = {
  gzip: { compresslevel: whole(0, 9), mtime: whole(0, 2 ** 32 - 1) },
  bz2: { compresslevel: whole(1, 9) },
  zip: { compresslevel: whole(0, 9), archive_name: archiveName },
  xz: { preset: whole(0, 9) },
  zstd: { level: whole(1, 22) },
  tar: { archive_name: archiveName },
}

const isMethod = (value: unknown): value is PackMethod => typeof value === 'string' && Object.hasOwn(ARGUMENTS, value)

/** The method that pandas infers from the name of a file. Null: it does not pack this file. */
export function methodOf(path: string): PackMethod | null {
  const name = path.toLowerCase()
  return EXTENSIONS.find(([extension]) => name.endsWith(extension))?.[1] ?? null
}

/**
 * How to_csv packs this file with the argument `compression`. Null: plain text. Undefined and 'infer' follow the name
 * of the file. Throws USAGE for arguments that pandas would refuse, or that rowmill does not know.
 */
export function packingOf(compression: unknown, path: string): Packing | null {
  const { method: given, args } = split(compression)
  const method = given === 'infer' ? methodOf(path) : given
  if (method === null) return null
  checkArguments(compression, method, args)
  return { method, args }
}

/** Throws USAGE if no file can be packed like this. The arguments of 'infer' are checked when the name is known. */
export function checkCompression(compression: unknown): void {
  const { method, args } = split(compression)
  if (method !== null && method !== 'infer') checkArguments(compression, method, args)
}

/** Whether Node has the method, and makes the same file as pandas. Otherwise Python's standard library packs. */
export function isPackedByNode({ method, args }: Packing): boolean {
  // pandas writes the time into a gzip file. With `mtime` its file is always the same, and ours must be the same too.
  return method === 'zstd' || (method === 'gzip' && args['mtime'] === undefined)
}

/** Whether the file object through which to_csv packs can seek. If not, Python writes no mark of UTF-16 and UTF-32. */
export function canSeek(packing: Packing | null): boolean {
  return packing === null || !['bz2', 'xz', 'zstd'].includes(packing.method)
}

function split(compression: unknown): { method: PackMethod | 'infer' | null; args: Record<string, unknown> } {
  const isDict = typeof compression === 'object' && compression !== null && !Array.isArray(compression)
  const { method = undefined, ...args } = isDict ? (compression as Record<string, unknown>) : { method: compression }
  if (!isDict && method === undefined) return { method: 'infer', args }
  if (method === null || method === 'infer' || isMethod(method)) return { method, args }
  throw refused(
    compression,
    `it must be infer, null, ${Object.keys(ARGUMENTS).join(', ')}, or an object with one of these as method`,
  )
}

function checkArguments(compression: unknown, method: PackMethod, args: Readonly<Record<string, unknown>>): void {
  const known = ARGUMENTS[method]
  for (const [name, value] of Object.entries(args)) {
    const argument = Object.hasOwn(known, name) ? known[name] : undefined
    if (!argument) throw refused(compression, `${method} takes ${Object.keys(known).join(', ')}, and not ${name}`)
    if (!argument.accepts(value)) throw refused(compression, `${name} must be ${argument.rule}`)
  }
}

function refused(compression: unknown, why: string): RowmillError {
  const value = JSON.stringify(compression) ?? null
  return new RowmillError('USAGE', `--to-csv compression=${value}: ${why}.`, { argument: 'compression', value })
}
