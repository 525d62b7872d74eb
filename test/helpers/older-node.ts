import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'

/** An exact version: any other would be downloaded again for the same answer. */
const VERSION = '20.19.6'

/**
 * A real Node that is too old for rowmill: one on the PATH, since many machines start npm with one, else one that npm
 * downloads once into the cache of rowmill. A faked version would not test that an old parser gets through
 * bin/rowmill.js. It comes from the package that has only the binary; the package `node` runs an install script.
 */
export async function olderNode(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const node = join(folder, 'node')
    const version = await promisify(execFile)(node, ['--version']).catch(() => null)
    if (version && Number(/^v(\d+)\./.exec(version.stdout)?.[1]) < 22) return node
  }
  return await fetchNode()
}

/** A folder gets its name only when it is complete. */
async function fetchNode(): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(cacheDirectory(), `${name}-${VERSION}`)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  if (await exists(node)) return node
  await mkdir(cacheDirectory(), { recursive: true })
  const workshop = await mkdtemp(`${folder}.tmp-`)
  try {
    const options = ['--prefix', workshop, '--ignore-scripts', '--no-audit', '--no-fund']
    await promisify(execFile)('npm', ['install', ...options, `${name}@${VERSION}`])
    await rename(workshop, folder).catch(async error => {
      if (!(await exists(node))) throw error
    })
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
  return node
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
