import assert from 'node:assert/strict'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testFolder } from './cli.ts'

const ROOT = join(import.meta.dirname, '../..')
const COPIED = ['bin', 'connectors', 'package.json', 'src']

/** One change: in `file`, below the root, `find` becomes `put`. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly put: string
}

/** The bin of a copy of rowmill with a defect, removed when the test ends. */
export function mutant(t: { after(fn: () => void): void }, edits: readonly Edit[]): string {
  const folder = testFolder(t)
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, find, put } of edits) {
    const path = join(folder, file)
    const parts = readFileSync(path, 'utf8').split(find)
    const times = parts.length - 1
    assert.equal(times, 1, `the control is out of date: ${file} has ${times} times, and not once:\n${find}`)
    writeFileSync(path, parts.join(put))
  }
  return join(folder, 'bin/rowmill.js')
}
