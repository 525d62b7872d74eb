import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'

/** Named exactly: any other version would be fetched again for the same answer. */
const VERSION = '20.19.6'

/**
 * A real Node that is too old for rowmill: one on the PATH, since many machines start npm with one, else one that npm
 * fetches once into the cache of rowmill. A made-up version would leave untested that an old parser gets through
 * bin/rowmill.js. It is fetched as the package that holds the binary alone; the package `node` runs an install script.
 */
export async function olderNode(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const node = join(folder, 'node')
    const version = await promisify(execFile)(node, ['--version']).catch(() => null)
    if (version && Number(/^v(\d+)\./.exec(version.stdout)?.[1]) < 22) return node
  }
  return await fetchNode()
}

/** A folder appears under its name only when it is whole. */
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
