import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '../..')
/** A literal that tells users to remove something that may be theirs. */
const TELLS = /['"`].*\b(remove|delete|erase) (it|them|(this|that|the) (file|folder|directory|link))\b/i
/** A line of IN, for users who want the bytes of the other engine; and jobs, which rowmill jobs rm removes. */
const HARMLESS = /which skips the line\. Remove it|src\/(jobs|cli\/commands)\/.*\bjobs?\b/

test('no message tells a user to remove a file or a folder, which may be precious and can be moved', () => {
  const files = ['connectors/**/*.ts', 'src/**/*.ts'].flatMap(pattern => globSync(pattern, { cwd: ROOT }))
  assert.ok(files.length > 100)
  const told = files.flatMap(file => {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n')
    return lines
      .filter(line => !/^\s*(\*|\/\*|\/\/)/.test(line) && TELLS.test(line))
      .map(line => `${file}: ${line.trim()}`)
      .filter(told => !HARMLESS.test(told))
  })
  assert.deepEqual(told, [])
})
