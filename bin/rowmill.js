#!/usr/bin/env node
// Syntax that Node 14 can parse: an older Node is told here which one is needed, before anything newer is loaded.
import { existsSync, mkdirSync } from 'node:fs'
import module from 'node:module'
import { homedir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'

// A clone runs its sources: what was built in it before may be stale. The package holds built files alone.
const source = new URL('../src/cli/main.ts', import.meta.url)
const built = new URL('../dist/src/cli/main.js', import.meta.url)
const isClone = existsSync(source)

const { versions, env } = process
const [major, minor] = versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  const advice = isClone ? ' In a clone, npx and npm run bring their own.' : ''
  process.stderr.write(`rowmill: needs Node 22.18 or later, this is ${versions.node}.${advice}\n`)
  process.exit(2)
}
// Compiled code is kept between runs, also for the worker processes, which inherit the environment.
const cache =
  env.ROWMILL_CACHE || join(env.XDG_CACHE_HOME || join(homedir() || userInfo().homedir, '.cache'), 'rowmill')
const compileCache = env.NODE_COMPILE_CACHE || join(cache, 'node')
if (makeFolder(compileCache)) {
  env.NODE_COMPILE_CACHE = compileCache
  module.enableCompileCache(compileCache)
}

const { main } = await import(isClone ? source.href : built.href).catch(error => {
  if (error.code !== 'EMFILE') throw error
  process.stderr.write(
    'rowmill: too many open files: too few to load rowmill. Raise the limit, as in ulimit -n 4096.\n',
  )
  process.exit(1)
})
process.exit(await main(process.argv.slice(2)))

/**
 * False where it cannot be made. Node would make it itself, recursively, and never end where a folder takes no other, such
 * as /proc.
 */
function makeFolder(path) {
  if (existsSync(path)) return true
  if (!makeFolder(dirname(path))) return false
  try {
    mkdirSync(path)
  } catch {
    // another process may have been quicker
  }
  return existsSync(path)
}
