import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { blocksOf } from '../helpers/page.ts'
import { python } from '../helpers/python.ts'

const PROVE = join(import.meta.dirname, '../adopt/prove.py')
const ORDERS = 'id;name;price\n001; Red Shoe ;59.9\n002;Belt;22.25\n003;Boot;120\n'
/** The arguments that each program needs. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = { 'shares.py': ['orders.csv'] }

test('docs/adopt.md: each program is adopted as the page says, and its cut gives the bytes of the program', async t => {
  const folder = testFolder(t)
  writeFileSync(join(folder, 'orders.csv'), ORDERS)
  const blocks = blocksOf('docs/adopt.md')
  assert.equal(blocks.length, 9)
  const cases = []
  while (blocks.length > 0) {
    const [program, command, printed] = blocks.splice(0, 3)
    writeFileSync(join(folder, program!.file!), program!.text)
    const [, words, looks] = /^rowmill (.*?)( \|\| \[ \$\? = 1 \])?\n$/.exec(command!.text)!
    const { code, stdout } = await rowmill(words!.split(' '), { cwd: folder })
    assert.equal(stdout, printed!.text)
    assert.equal(code, looks ? 1 : 0)
    const json = await rowmill(['adopt', program!.file!, '--force', '-o', 'json'], { cwd: folder })
    const { read, write, classifier, output } = JSON.parse(json.stdout)
    const given = ARGUMENTS[program!.file!] ?? []
    cases.push({ program: program!.file!, arguments: given, read, write, classifier, input: 'orders.csv', output })
  }
  const { stdout, stderr } = spawnSync(python, [PROVE], { cwd: folder, input: JSON.stringify(cases), encoding: 'utf8' })
  assert.deepEqual(JSON.parse(stdout || 'null'), [null, null, null], stderr)
})
