import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { OTHER, ProcessTree, type Usage } from '../../bench/process-tree.ts'

/** Runs a shell line below a process of its own, whose children are watched. */
async function usageOf(line: string, nameOf: (commandLine: string) => string | null): Promise<Usage[]> {
  const parent = spawn('sh', ['-c', `read go; ${line}; echo done; read end`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const tree = new ProcessTree(parent.pid!, nameOf)
  parent.stdin.write('go\n')
  await new Promise(resolve => parent.stdout.once('data', resolve))
  const usage = tree.stop()
  parent.stdin.end('end\n')
  await new Promise(resolve => parent.once('exit', resolve))
  return usage
}

const SPIN = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'

test('the CPU time of a process that no sample saw counts as other', async () => {
  const usage = await usageOf(`sh -c '${SPIN}'`, () => null)
  assert.deepEqual(
    usage.map(({ name, processes }) => ({ name, processes })),
    [{ name: OTHER, processes: 0 }],
  )
  assert.ok(usage[0]!.cpuSeconds >= 0.05, `${usage[0]!.cpuSeconds}`)
})

test('the CPU time of a process counts once: under its name, or as other', async () => {
  const unnamed = await usageOf(`sh -c '${SPIN}; ${SPIN}'`, () => null)
  const named = await usageOf(`sh -c '${SPIN}; ${SPIN}'`, line => (line.startsWith('sh -c i=0') ? 'spin' : null))
  const sum = (usage: readonly Usage[]) => usage.reduce((all, { cpuSeconds }) => all + cpuSeconds, 0)
  assert.equal(named.find(({ name }) => name === 'spin')?.processes, 1)
  assert.ok(sum(named) < 1.5 * sum(unnamed), `${sum(named)} named, ${sum(unnamed)} unnamed`)
})
