import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LOG_LINE } from '../../src/cli/log-fields.ts'
import { PROGRESS_LINE } from '../../src/cli/progress-lines.ts'

test('docs/logs.md has the fields of a line of the log and of the progress, with their meanings', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/logs.md'), 'utf8')
  const [, log, , progress] = page.split(/^\| field \| meaning \|\n|^## Levels$/m)
  for (const [table, { fields }] of [
    [log, LOG_LINE],
    [progress, PROGRESS_LINE],
  ] as const) {
    const rows = [...table!.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name, meaning]) => [name, meaning])
    assert.deepEqual(rows, Object.entries(fields))
  }
})
