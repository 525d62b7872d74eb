/** What a user has: `npm pack` of this clone, installed into a folder that `npm init -y` made. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { type CliOptions, type Finished, startProgram } from './cli.ts'
import { python } from './python.ts'

export const ROOT = join(import.meta.dirname, '../..')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
/** Not copied with the clone: it is large, or built again. */
const LEFT_OUT = ['.venv', '.venvs', '.git', 'dist', 'demo']
/** The TypeScript of the clone, for a program that uses the package and Node. */
const TYPES = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node']
const STRICT = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--skipLibCheck', 'false']

export interface Installed {
  /** The folder of the user, with rowmill in its node_modules. */
  readonly home: string
  readonly tarball: string
  /** The environment of a user: the installed command, the Node of the clone and a Python with pandas come first. */
  readonly env: { readonly PATH: string }
  /** Runs a program in `home`. */
  run(file: string, args: readonly string[], options?: CliOptions): Promise<Finished>
  /** Checks the types of these files of `home` as strictly as tsc can, with Node's own types if `node` is given. */
  compile(files: readonly string[], types?: { node?: boolean }): Promise<void>
  remove(): void
}

/**
 * Packs a copy of the clone, because two test files that pack at the same time would write the same dist/. npm takes the
 * dependencies from its cache if they are there. The caller removes the folder.
 */
export async function installRowmill(): Promise<Installed> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rowmill-installed-')))
  const [clone, home] = [join(folder, 'clone'), join(folder, 'home')]
  const tarball = join(folder, `rowmill-${version}.tgz`)
  const PATH = [join(home, 'node_modules/.bin'), dirname(process.execPath), dirname(python), process.env['PATH']]
  const env = { PATH: PATH.join(delimiter) }
  const run = (file: string, args: readonly string[], options: CliOptions = {}) =>
    startProgram(file, args, { cwd: home, ...options, env: { ...env, ...options.env } }).finished
  const installed: Installed = {
    ...{ home, tarball, env, run },
    async compile(files, { node = false } = {}) {
      succeeded(await run(join(ROOT, 'node_modules/.bin/tsc'), [...STRICT, ...(node ? TYPES : []), ...files]))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
  try {
    cpSync(ROOT, clone, {
      recursive: true,
      filter: path =>
        basename(path) !== 'node_modules' && (dirname(path) !== ROOT || !LEFT_OUT.includes(basename(path))),
    })
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
    mkdirSync(home)
    succeeded(await run('npm', ['pack', '--pack-destination', folder], { cwd: clone }))
    succeeded(await run('npm', ['init', '-y']))
    succeeded(await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball]))
    return installed
  } catch (error) {
    installed.remove()
    throw error
  }
}

/** The standard output of a program; fails if its exit code is not 0. */
export function succeeded({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, `${stdout}${stderr}`)
  return stdout
}
