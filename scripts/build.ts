/** Builds dist/, which the package runs: Node strips no types inside node_modules. */
import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')

rmSync(DIST, { recursive: true, force: true })
const tsc = join(ROOT, 'node_modules/.bin/tsc')
const { status, error } = spawnSync(tsc, ['-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' })
if (status !== 0) {
  process.stderr.write(`build: ${error ? `${tsc} does not start (${error.message}). Run npm install` : 'tsc failed'}\n`)
  process.exit(1)
}
// A rule instead of a list, so that no file is forgotten: code reads the files that tsc does not compile at run time.
const isCompiled = (path: string) => path.endsWith('.ts')
for (const folder of ['src', 'connectors']) {
  const filter = (path: string) => !isCompiled(path) && basename(path) !== '__pycache__'
  cpSync(join(ROOT, folder), join(DIST, folder), { recursive: true, filter })
}
