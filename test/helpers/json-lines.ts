import assert from 'node:assert/strict'
import { LOG_LINE } from '../../src/cli/log-fields.ts'
import { PROGRESS_LINE } from '../../src/cli/progress-lines.ts'

export type JsonLine = Readonly<Record<string, unknown>>

/** The lines of an stderr that has nothing but the log in JSON and the progress: each with documented fields alone. */
export function jsonLines(stderr: string): {
  readonly log: readonly JsonLine[]
  readonly progress: readonly JsonLine[]
} {
  assert.ok(stderr === '' || stderr.endsWith('\n'), stderr)
  const lines = stderr.split('\n').slice(0, -1).map(parsed)
  const [log, progress] = [
    lines.filter(({ type }) => type === undefined),
    lines.filter(({ type }) => type !== undefined),
  ]
  for (const line of log) {
    for (const name of ['level', 'time', 'source', 'msg']) assert.ok(name in line, JSON.stringify(line))
    for (const [name, value] of Object.entries(line)) {
      assert.ok(Object.hasOwn(LOG_LINE.fields, name), `${name} in ${JSON.stringify(line)}`)
      assert.notEqual(value, null, JSON.stringify(line))
    }
  }
  for (const line of progress) assert.deepEqual(Object.keys(line), Object.keys(PROGRESS_LINE.fields))
  return { log, progress }
}

function parsed(line: string): JsonLine {
  try {
    return JSON.parse(line)
  } catch {
    assert.fail(`no JSON: ${line}`)
  }
}
