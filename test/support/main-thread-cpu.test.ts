import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { mainThreadCpuMs } from '../../src/support/main-thread-cpu.ts'

/** Uses 400 ms of CPU time. It asks rarely: the question is a call of the system. */
function burn(): void {
  const end = process.cpuUsage().user + 400_000
  while (process.cpuUsage().user < end) for (let i = 0; i < 1_000_000; i++);
}

test('the CPU time of the event loop grows with its own work, and not with that of another thread', async () => {
  const before = mainThreadCpuMs(process.pid)!
  await once(new Worker(`(${burn})()`, { eval: true }), 'exit')
  const between = mainThreadCpuMs(process.pid)!
  assert.ok(between - before < 300, `${between - before} ms of the other thread count`)
  burn()
  const after = mainThreadCpuMs(process.pid)!
  assert.ok(after - between > 200, `${after - between} ms`)
})

test('nobody knows the CPU time of a process that does not exist', () => {
  assert.equal(mainThreadCpuMs(undefined), null)
  assert.equal(mainThreadCpuMs(2 ** 30), null)
})
