import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const DECLARED = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type) (\w+)/gm

test('every type is declared in one file, so its name has one meaning', () => {
  const files = new Map<string, string[]>()
  for (const file of globSync('{src,connectors}/**/*.ts', { cwd: ROOT }))
    for (const [, name] of readFileSync(join(ROOT, file), 'utf8').matchAll(DECLARED))
      files.set(name!, [...(files.get(name!) ?? []), file])
  assert.ok(files.size > 300)
  assert.deepEqual(
    [...files].filter(([, { length }]) => length > 1),
    [],
  )
})
