/**
 * Old programs of test/adopt/corpus, from the program to OUT: the command that adopt prints writes the bytes that the program
 * wrote, in batches of three rows. ROWMILL_TEST_EVERY=1 takes every program that adopt says is done.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { brokerAddress } from '../helpers/broker.ts'
import { BIN, rowmill, startProgram, testFolder } from '../helpers/cli.ts'
import { succeeded } from '../helpers/installed.ts'
import { python } from '../helpers/python.ts'

const CORPUS = join(import.meta.dirname, '../adopt/corpus')
/** Programs that differ in how adopt cuts them. */
const SOME = [
  'async_work',
  'chain',
  'chain_filter',
  'class_state',
  'converters',
  'german',
  'imported',
  'two_functions',
  'usecols_lambda',
  'global_model',
]
/** These need something that this test has not. */
const WITHOUT = ['append_mode.py', 'logging_setup.py', 'notebook_export.py', 'stdout.py']

const every = readdirSync(CORPUS).filter(name => /\.py$/.test(name) && !WITHOUT.includes(name))
const programs = process.env['ROWMILL_TEST_EVERY'] ? every : SOME.map(name => `${name}.py`)

for (const program of programs) {
  test(`${program}: the command that adopt prints writes what the program wrote`, async t => {
    const folder = testFolder(t)
    cpSync(join(CORPUS, program), join(folder, program))
    cpSync(join(CORPUS, 'data'), folder, { recursive: true })
    mkdirSync(join(folder, 'bin'))
    symlinkSync(BIN, join(folder, 'bin/rowmill'))
    const { code, stdout } = await rowmill(['adopt', program, '-o', 'json'], { cwd: folder })
    const { done, command, output } = JSON.parse(stdout)
    assert.equal(code, done ? 0 : 1)
    if (!done) return assert.ok(process.env['ROWMILL_TEST_EVERY'], `${program} needs a look`)
    succeeded(await startProgram(python, ['-B', program], { cwd: folder }).finished)
    renameSync(join(folder, output), join(folder, 'original'))
    const PATH = [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
    const env = { PATH, ROWMILL_BROKERS: await brokerAddress(), ROWMILL_BATCH_ROWS: '3', ROWMILL_WORKERS: '2' }
    succeeded(await startProgram('bash', ['-ec', command], { cwd: folder, env }).finished)
    assert.deepEqual(readFileSync(join(folder, output), 'utf8'), readFileSync(join(folder, 'original'), 'utf8'))
  })
}
