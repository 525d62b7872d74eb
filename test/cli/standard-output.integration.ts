/** Commands whose standard output nobody reads, or is full. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, rowmill, testFolder } from '../helpers/cli.ts'

type Env = Readonly<Record<string, string>>

/** `reads`: how many pieces of its output are read before the pipe is closed. */
async function intoPipe(args: readonly string[], { env, reads = 0 }: { env: Env; reads?: number }) {
  const child = spawn(process.execPath, [BIN, ...args], { env: { ...process.env, ...env } })
  child.stdin.end()
  const exit = once(child, 'exit')
  const stderr = text(child.stderr)
  for (let i = 0; i < reads; i++) await once(child.stdout, 'data')
  child.stdout.destroy()
  return { code: (await exit)[0], stderr: await stderr }
}

async function intoFullDisk(args: readonly string[], env: Env) {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  const exit = once(child, 'exit')
  return { stderr: await text(child.stderr!), code: (await exit)[0] }
}

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const input = join(testFolder(t), 'in.csv')
  writeFileSync(input, 'ID,A\n1,x\n2,y\n')
  const { code, stderr } = await rowmill(['publish', input, '--job', 'orders'], { env })
  assert.equal(code, 0, stderr)
  return { env, input }
}

/** Each with the exit code that it has anyway. */
const PRINTING: readonly (readonly [number, ...string[]])[] = [
  [0, '--help'],
  [0, '--version'],
  [0, 'help', 'jobs', 'list'],
  [0, 'explain', 'USAGE'],
  [0, 'completion', 'bash'],
  [0, 'acls', '--role', 'work', '--principal', 'User:x'],
  [0, 'topics', 'plan'],
  [0, 'topics', 'check'],
  [0, 'jobs', 'list'],
  [0, 'jobs', 'list', '-o', 'json'],
  [7, 'status'],
  [7, 'status', '-o', 'json'],
  [7, 'status', '--follow'],
  [7, 'status', '-o', 'json', '--follow'],
  [0, 'jobs', 'open', '--job', 'events', '--columns', 'A', '--quiet'],
]

test('a command whose reader has gone ends as it does otherwise, and says nothing of it', async t => {
  const { env } = await place(t)
  for (const [code, ...args] of PRINTING)
    assert.deepEqual(await intoPipe(args, { env }), { code, stderr: '' }, args.join(' '))
  const following = ['status', 'orders', '--follow', '-o', 'json']
  assert.deepEqual(await intoPipe(following, { env, reads: 1 }), { code: 7, stderr: '' })
})

test('a command that cannot print because a disk is full says so in one line', async t => {
  const { env } = await place(t)
  const expected = /^rowmill: cannot write to standard output: ENOSPC: [^\n]* \[OUTPUT_FAILED\]\n$/
  for (const [, ...args] of [...PRINTING, [0, 'monitor', '--port', '0'] as const]) {
    const { code, stderr } = await intoFullDisk(args, env)
    assert.match(stderr, expected, args.join(' '))
    assert.equal(code, 1, args.join(' '))
  }
})
