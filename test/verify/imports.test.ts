/** A judge that shares code with what it judges would share its mistakes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const SRC = join(import.meta.dirname, '../../src')

/** Every file reachable from `file` by relative imports, including those of types. */
function reachable(file: string, seen = new Set<string>()): Set<string> {
  const path = join(SRC, file)
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [, specifier] of readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
    reachable(relative(SRC, join(dirname(path), specifier!)), seen)
  }
  return seen
}

test('verify imports neither the reassembler nor the collector', () => {
  assert.ok(reachable('run.ts').has('core/reassembler.ts'), 'the walk goes from the run to the reassembler')
  const files = reachable('verify/verify.ts')
  assert.ok(files.has('core/sequence.ts') && files.has('wire/codec.ts'), 'the walk goes through verify')
  for (const file of ['core/reassembler.ts', 'collect/collector.ts', 'run.ts', 'index.ts']) {
    assert.ok(!files.has(file), `${file} is reachable from verify/verify.ts`)
  }
})
