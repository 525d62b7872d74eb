import { fork, type IOType } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inheritableFiles } from '../../support/inheritable-files.ts'
import type { FromKeeperProcess, KeeperArguments } from './keeper-process.ts'

/** The variables that Node and Java may need. Others stay with the command: some hold secrets. */
const VARIABLES = new Set([
  ...['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'LC_ALL', 'LC_CTYPE', 'LD_LIBRARY_PATH'],
  ...['JAVA_HOME', 'JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS', '_JAVA_OPTIONS'],
  ...['NODE_OPTIONS', 'NODE_COMPILE_CACHE'],
])
/** The descriptor through which the keeper talks to the run that started it. */
const CHANNEL = 3

/** Starts a process that outlives this one, and waits until its broker answers. Throws what the keeper says, and the reason of `limit`. */
export async function startKeeper(args: KeeperArguments, limit: AbortSignal): Promise<void> {
  const child = forkKeeper(args)
  try {
    const ended = once(child, 'exit', { signal: limit }).then(() => null)
    const [said] = (await Promise.race([once(child, 'message', { signal: limit }), ended])) ?? [null]
    const message = said as FromKeeperProcess | null
    if (message === null) throw new Error('the keeper of the local Kafka ended')
    if (message.type === 'failed') throw new Error(message.error.message)
  } catch (error) {
    child.kill('SIGTERM') // it starts what nobody waits for
    throw error
  } finally {
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** It must not hold what the caller of this command opened, such as a lock: each of these files becomes an empty one. */
function forkKeeper(args: KeeperArguments) {
  const entry = fileURLToPath(new URL(`./keeper-process${extname(import.meta.filename)}`, import.meta.url))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => VARIABLES.has(name)))
  const empty = openSync(devNull, 'r+')
  try {
    const inherited = inheritableFiles()
    const stdio = Array.from<IOType | 'ipc' | number>({ length: Math.max(CHANNEL, ...inherited) + 1 }).fill('ignore')
    for (const file of inherited) stdio[file] = empty
    stdio[CHANNEL] = 'ipc'
    return fork(entry, [JSON.stringify(args)], { cwd: '/', detached: true, env, execArgv: [], stdio })
  } finally {
    closeSync(empty)
  }
}
