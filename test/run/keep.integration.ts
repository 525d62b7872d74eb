import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { visit } from '../../src/broker/kept/door.ts'
import { keptFiles, keptFolder, runsIn } from '../../src/broker/kept/kept-folder.ts'
import { version } from '../../src/cli/version.ts'
import { rowmill } from '../helpers/cli.ts'
import { keptState } from '../helpers/kept-state.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

test('runs with --keep share a broker and leave no topic; a killed one resumes there with the same bytes', async t => {
  const { folder, input, env, look } = place(t)
  const run = (output: string, more: NodeJS.ProcessEnv = {}) =>
    rowmill(['run', input, output, '--keep', '--classifier', CLASSIFIER, '--workers', '1'], {
      env: { ...env, ...more },
    })
  const serial = await serialJob(input, CLASSIFIER)
  const [first, killed] = [join(folder, 'first.csv'), join(folder, 'killed.csv')]
  const done = await run(first)
  assert.equal(done.code, 0, done.stderr)
  assert.equal(readFileSync(first, 'utf8'), serial)
  const { pid } = await look()

  const crash = await run(killed, { ROWMILL_CRASH: `rows-acked:1 ${join(folder, 'mark')}` })
  assert.equal(crash.signal, 'SIGKILL', crash.stderr)
  const { pipeline, keptIn } = JSON.parse(readFileSync(`${killed}.rowmill/run.json`, 'utf8'))
  assert.deepEqual(await runsIn(keptIn), { needed: [pipeline], abandoned: [] })
  const between = await run(join(folder, 'between.csv'))
  assert.equal(between.code, 0, between.stderr)
  assert.deepEqual((await runsIn(keptIn)).needed, [pipeline], 'another run leaves the topics of the killed one')
  const resumed = await rowmill(['run', '--resume', killed], { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(killed, 'utf8'), serial)
  assert.deepEqual(await runsIn(keptIn), { needed: [], abandoned: [] })
  assert.equal((await look()).pid, pid, 'one broker had them all')
})

test('what a killed run left is deleted once the run was discarded', async t => {
  const { folder, input, env } = place(t)
  const args = ['run', input, join(folder, 'out.csv'), '--keep', '--classifier', CLASSIFIER, '--workers', '1']
  const crash = await rowmill(args, { env: { ...env, ROWMILL_CRASH: `rows-acked:1 ${join(folder, 'mark')}` } })
  assert.equal(crash.signal, 'SIGKILL', crash.stderr)
  const again = await rowmill([...args, '--restart'], { env })
  assert.equal(again.code, 0, again.stderr)
  assert.deepEqual(await runsIn(keptFolder(version(), env)), { needed: [], abandoned: [] })
})

/** A file of rows, and a folder of this test alone for its kept broker, which ends with the test. */
function place(t: TestContext) {
  const envOf = (folder: string) => ({ XDG_STATE_HOME: join(folder, 'state') })
  const { folder, place: kept } = keptState(t, made => keptFolder(version(), envOf(made)))
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 20 }, (_, row) => `${row},x${row}\n`).join('')}`)
  const look = async () => {
    const visited = await visit(keptFiles(kept).door, 'look')
    assert.ok(typeof visited !== 'string', `${visited}`)
    visited.leave()
    return visited.state
  }
  return { folder, input, env: envOf(folder), look }
}
