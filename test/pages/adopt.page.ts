import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { BIN, rowmill, startProgram, testFolder } from '../helpers/cli.ts'
import { succeeded } from '../helpers/installed.ts'
import { type Block, blocksOf } from '../helpers/page.ts'
import { python } from '../helpers/python.ts'

const PROVE = join(import.meta.dirname, '../adopt/prove.py')
const ORDERS = 'id;name;price\n001; Red Shoe ;59.9\n002;Belt;22.25\n003;Boot;120\n'

/** A program of docs/adopt.md in a folder of its own, adopted as the page says. */
async function adopted(t: TestContext, [program, command, printed]: readonly Block[]) {
  const cwd = testFolder(t)
  writeFileSync(join(cwd, 'orders.csv'), ORDERS)
  writeFileSync(join(cwd, program!.file!), program!.text)
  const [, words, looks] = /^rowmill (.*?)( \|\| \[ \$\? = 1 \])?\n$/.exec(command!.text)!
  const { code, stdout } = await rowmill(words!.split(' '), { cwd })
  assert.deepEqual([code, stdout], [looks ? 1 : 0, printed!.text])
  const { stdout: json } = await rowmill(['adopt', program!.file!, '-o', 'json'], { cwd })
  mkdirSync(join(cwd, 'bin'))
  symlinkSync(BIN, join(cwd, 'bin/rowmill'))
  const PATH = [join(cwd, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const shell = (line: string, env = {}) => startProgram('bash', ['-ec', line], { cwd, env: { PATH, ...env } }).finished
  return { cwd, program: program!.file!, ...JSON.parse(json), printed: printed!.text, shell }
}

const blocks = blocksOf('docs/adopt.md')

for (const at of [0, 3]) {
  test(`${blocks[at]!.file} of docs/adopt.md is adopted as the page says, and its command writes the same bytes`, async t => {
    const { cwd, program, command, output, shell } = await adopted(t, blocks.slice(at, at + 3))
    succeeded(await startProgram(python, ['-B', program], { cwd }).finished)
    renameSync(join(cwd, output), join(cwd, 'original.csv'))
    succeeded(await shell(command, { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_BATCH_ROWS: '1' }))
    assert.deepEqual(readFileSync(join(cwd, output)), readFileSync(join(cwd, 'original.csv')))
  })
}

test('shares.py of docs/adopt.md needs a look, its cut gives the same bytes, and the printed check finds the other rows', async t => {
  assert.equal(blocks.length, 9)
  const { cwd, program, read, write, classifier, output, printed, shell } = await adopted(t, blocks.slice(6))
  const cases = [{ program, arguments: ['orders.csv'], read, write, classifier, input: 'orders.csv', output }]
  const proved = spawnSync(python, [PROVE], { cwd, input: JSON.stringify(cases), encoding: 'utf8' })
  assert.deepEqual(JSON.parse(proved.stdout || 'null'), [null], proved.stderr)
  const [check] = /^rowmill check .*?"\n\n/ms.exec(printed)!
  const { stderr, stdout } = await shell(check.replace(' IN ', ' orders.csv '))
  assert.match(stderr + stdout, /\[BATCH_DEPENDENT\]/)
})
