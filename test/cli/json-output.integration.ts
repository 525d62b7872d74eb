/** `--output json`, which programs read. Each line has exactly the documented fields. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'

const THROWS = join(import.meta.dirname, '../fixtures/bad-rows.ts:throws')

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, 'ID,A\n1,good\n2,bad\n3,good\n')
  /** The lines that a command prints. Checks their fields. */
  const json = async (name: string, args: string[], exit = 0): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await rowmill([...name.split(' '), ...args, '-o', 'json'], { env })
    assert.equal(code, exit, stderr)
    const lines = stdout
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
    const { fields } = COMMANDS.find(command => command.name === name)!.json!
    for (const line of lines) assert.deepEqual(Object.keys(line), Object.keys(fields), name)
    return lines
  }
  return { pipeline, env, folder, input, json }
}

test('the parts print one object each: published, collected, verified, rejected, replayed, cancelled', async t => {
  const { pipeline, env, folder, input, json } = await place(t)
  const out = join(folder, 'out.csv')
  const at = ['--job', 'j']
  assert.deepEqual(await json('publish', [input, ...at, '--max-rejects', '1']), [{ job: 'j', pipeline, rows: 3 }])
  const work = ['work', '--classifier', THROWS, '--workers', '1', '--until-done', 'j']
  assert.equal((await rowmill(work, { env })).code, 0)
  const [collected] = await json('collect', [out, ...at], 4)
  const { duplicates: _, rowsByWorker, ...counts } = collected!
  assert.deepEqual(counts, { job: 'j', out, rows: 2, rejects: 1, rowsOut: 2 })
  assert.deepEqual(Object.values(rowsByWorker as object), [2])
  const [verified] = await json('verify', [out, ...at])
  assert.deepEqual([verified!['same'], verified!['rowsIn'], verified!['findings']], [true, 3, []])
  writeFileSync(out, 'something else\n')
  const [differs] = await json('verify', [out, ...at], 6)
  assert.deepEqual(
    (differs!['findings'] as { code: string }[]).map(({ code }) => code),
    ['FILES_DIFFER'],
  )
  const [reject, ...none] = await json('rejects list', at)
  assert.deepEqual(none, [])
  assert.deepEqual(
    [reject!['job'], reject!['row'], reject!['line'], reject!['reason'], reject!['values']],
    ['j', 1, 3, 'CLASSIFIER_FAILED', ['2', 'bad']],
  )
  assert.deepEqual(await json('rejects list', []), [])
  assert.deepEqual(await json('rejects replay', at), [{ job: 'j', attempt: 1, rejects: 1 }])
  const [listed] = await json('jobs list', [])
  assert.deepEqual(
    [listed!['job'], listed!['state'], listed!['attempt'], listed!['complete']],
    ['j', 'ended', 1, false],
  )
  const opened = { job: 'events', pipeline, isNew: true }
  assert.deepEqual(await json('jobs open', ['--job', 'events', '--columns', 'A,B']), [opened])
  const cancelled = { job: 'events', outcome: 'cancelled', state: 'cancelled' }
  assert.deepEqual(await json('jobs cancel', ['--job', 'events']), [cancelled])
})

test('run prints its report; a run whose OUT was already complete prints null for unknown values', async t => {
  const { env, folder, input, json } = await place(t)
  const [out, report] = [join(folder, 'out.csv'), join(folder, 'report.json')]
  const options = ['--classifier', THROWS, '--max-rejects', '1', '--workers', '1', '--report', report]
  const [line] = await json('run', [input, out, ...options], 4)
  assert.deepEqual(line, JSON.parse(readFileSync(report, 'utf8')))
  assert.deepEqual([line!['rows'], line!['rejects']], [2, 1])
  const killed = await rowmill(['run', input, out, ...options, '--force'], {
    env: { ...env, ROWMILL_CRASH: `run-complete:1 ${join(folder, 'killed')}` },
  })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const [resumed] = await json('run', ['--resume', out])
  const { job, ...unknown } = resumed!
  assert.equal(typeof job, 'string')
  assert.deepEqual(new Set(Object.values(unknown)), new Set([null]))
})

test('JSON and rows cannot share standard output', async t => {
  const { env, input } = await place(t)
  for (const args of [
    ['run', input, '-', '--classifier', THROWS],
    ['collect', '-', '--job', 'j'],
  ]) {
    const { code, stdout, stderr } = await rowmill([...args, '--output', 'json'], { env })
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, /--output json needs a file as OUT: .*\[USAGE\]/)
  }
})
