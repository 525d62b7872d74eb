import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const BENCH = join(import.meta.dirname, '../../bench')

for (const program of ['main.ts', 'latency/main.ts', 'transport/main.ts', 'read.ts', 'default-group.ts'])
  test(`bench/${program} --help prints how it is called, and measures nothing`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(BENCH, program), '--help'], {
      encoding: 'utf8',
    })
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^Usage: (npm run bench|node bench).* \[--.*\]\n$/)
  })
