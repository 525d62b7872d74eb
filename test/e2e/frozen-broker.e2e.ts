/** A broker that stops in the middle of a job, and keeps its connections. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:says_when_it_works')
const ROWS = 800
const BROKER_TIMEOUT_S = 5
/** The time-out, one request, and what a machine with much to do adds. Before there was a limit, it was 90 s. */
const SOON_MS = 60_000

/** A run whose own broker is stopped while the classifier works. */
async function frozenRun(t: TestContext) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i},x\n`).join('')}`)
  const words = ['run', input, output, '--classifier', CLASSIFIER, '--workers', '1']
  const { child, finished } = startRowmill([...words, '--broker-timeout', `${BROKER_TIMEOUT_S}`], {
    env: { ROWMILL_BROKERS: '' },
  })
  t.after(() => child.kill('SIGKILL'))
  for await (const line of createInterface(child.stderr)) if (line === 'at work') break
  const below = descendants(child.pid!)
  const java = below.find(({ name }) => name.includes('java'))!
  process.kill(java.pid, 'SIGSTOP')
  return { child, finished, below, since: performance.now() }
}

test('a broker that freezes ends a run after --broker-timeout, and nothing is left', async t => {
  const { finished, below, since } = await frozenRun(t)
  const { code } = await finished
  const ms = performance.now() - since
  assert.equal(code, 3)
  assert.ok(ms < SOON_MS, `it ended after ${Math.round(ms / 1000)} s`)
  await untilGone(below)
})

test('a signal ends a run whose broker is frozen: the clean-up does not wait for an answer', async t => {
  const { child, finished, below } = await frozenRun(t)
  const since = performance.now()
  child.kill('SIGTERM')
  const { code } = await finished
  const ms = performance.now() - since
  assert.equal(code, 143)
  assert.ok(ms < SOON_MS, `it ended after ${Math.round(ms / 1000)} s`)
  await untilGone(below)
})
