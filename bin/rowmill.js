#!/usr/bin/env node
// Node 14 can parse this file. So an older Node says which one is needed, before anything newer is loaded.
import { existsSync, mkdirSync } from 'node:fs'
import module from 'node:module'
import { homedir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'

// A clone runs its sources, because built files in it may be stale. The package has only built files.
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
// Compiled code is kept between runs, and for the worker processes, which inherit the environment.
const compileCache = env.NODE_COMPILE_CACHE || cacheFolder()
if (compileCache !== null && makeFolder(compileCache)) {
  env.NODE_COMPILE_CACHE = compileCache
  module.enableCompileCache(compileCache)
}

const { main } = await import(isClone ? source.href : built.href).catch(error => {
  if (error.code !== 'EMFILE') throw error
  process.stderr.write(
    'rowmill: too many open files: the limit is too low to load rowmill. Raise it, as in ulimit -n 4096.\n',
  )
  process.exit(1)
})
process.exit(await main(process.argv.slice(2)))

/** Null: without HOME, and without an entry for this user in the passwd file, as in some containers. */
function cacheFolder() {
  if (env.ROWMILL_CACHE) return join(env.ROWMILL_CACHE, 'node')
  try {
    return join(env.XDG_CACHE_HOME || join(homedir() || userInfo().homedir, '.cache'), 'rowmill', 'node')
  } catch {
    return null
  }
}

/** False if the folder cannot be made. Node's own recursive mkdir never ends in folders such as /proc. */
function makeFolder(path) {
  if (existsSync(path)) return true
  if (!makeFolder(dirname(path))) return false
  try {
    mkdirSync(path)
  } catch {
    // another process may have made it first
  }
  return existsSync(path)
}
