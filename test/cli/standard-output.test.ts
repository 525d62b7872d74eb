import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

test('commands print with print(), which knows what to do when nobody reads or a disk is full', () => {
  const folder = join(import.meta.dirname, '../../src/cli')
  const own = ['standard-output.ts', 'commands/tail.ts'] // tail waits for its reader
  const files = globSync('**/*.ts', { cwd: folder }).filter(file => !own.includes(file))
  assert.ok(files.length > 50)
  const others = files.filter(file => /stdout\.write|console\.log/.test(readFileSync(`${folder}/${file}`, 'utf8')))
  assert.deepEqual(others, [])
})
