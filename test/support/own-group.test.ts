import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runInOwnGroup } from '../../src/support/own-group.ts'
import { testFolder } from '../helpers/cli.ts'
import { until } from '../helpers/until.ts'

const MODULE = join(import.meta.dirname, '../../src/support/own-group.ts')

/** A script whose child would outlive it, and the file where that child's id appears. */
function longScript(t: Parameters<typeof testFolder>[0]) {
  const file = join(testFolder(t), 'pid')
  const pid = () => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0)
  return { script: `sleep 1000 & echo $! > '${file}'; wait`, pid }
}

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

test('a program gets its input, and its output, errors and exit code come back', async () => {
  const limit = new AbortController().signal
  const ended = await runInOwnGroup('/bin/sh', ['-c', 'cat; echo oh >&2; exit 3'], { input: 'in', limit })
  assert.deepEqual(ended, { stdout: 'in', stderr: 'oh\n', code: 3, signal: null })
})

test('a limit ends the program with its children', async t => {
  const { script, pid } = longScript(t)
  const limit = new AbortController()
  const running = runInOwnGroup('/bin/sh', ['-c', script], { input: '', limit: limit.signal })
  await until('the script runs', () => pid() > 0)
  limit.abort()
  assert.equal((await running).signal, 'SIGKILL')
  await until('its child has ended', () => hasEnded(pid()))
})

test('a process that exits takes the program and its children along', async t => {
  const { script, pid } = longScript(t)
  const program = `
    const { runInOwnGroup } = await import(${JSON.stringify(MODULE)})
    void runInOwnGroup('/bin/sh', ['-c', ${JSON.stringify(script)}], { input: '', limit: new AbortController().signal })
    process.stdin.once('end', () => process.exit(0)).resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  await until('the script runs', () => pid() > 0)
  child.stdin.end()
  await once(child, 'exit')
  await until('the child has ended', () => hasEnded(pid()))
})
