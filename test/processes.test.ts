/** However a run ends, no JVM and no Python is left of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { startRowmill, testFolder } from './helpers/cli.ts'
import { descendants, type ProcessInfo, untilGone } from './helpers/processes.ts'

const CLASSIFIER = join(import.meta.dirname, 'fixtures/classifiers.py:says_when_it_works')

/** A run with a broker of its own whose classifier says `sign`; resolves with every process below it. */
async function runUntil(t: TestContext, sign: string, classifier: string) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: 2000 }, (_, i) => `${i},x\n`).join('')}`)
  const { child, finished } = startRowmill(['run', input, output, '--classifier', classifier, '--workers', '2'], {
    env: { ROWMILL_BROKERS: '' },
  })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stderr)
  for await (const line of lines) if (line === sign) break
  const below = descendants(child.pid!)
  assert.match(below.map(({ name }) => name).join(' '), /python/)
  return { child, finished, below, folder }
}

async function runAtWork(t: TestContext) {
  const run = await runUntil(t, 'at work', CLASSIFIER)
  assert.match(run.below.map(({ name }) => name).join(' '), /java/)
  return run
}

async function leavesNothing(folder: string, below: readonly ProcessInfo[]): Promise<void> {
  await untilGone(below)
  assert.deepEqual(readdirSync(folder), ['in.csv'])
}

test('Ctrl-C ends a run with 130 and leaves no process and no file', async t => {
  const { child, below, folder } = await runAtWork(t)
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  assert.equal(code, 130)
  await leavesNothing(folder, below)
})

test('Ctrl-C while the classifier is imported and the broker starts leaves no process and no file', async t => {
  const imports = join(import.meta.dirname, 'fixtures/slow_to_import.py')
  const { child, below, folder } = await runUntil(t, 'importing', imports)
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  assert.equal(code, 130)
  await leavesNothing(folder, below)
})

test('-TERM ends a run with 143 and leaves no process and no file', async t => {
  const { child, below, folder } = await runAtWork(t)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  assert.equal(code, 143)
  await leavesNothing(folder, below)
})

test('kill -9 of a run leaves no process, nothing under the final name, and the next run is not in its way', async t => {
  const { child, below, folder } = await runAtWork(t)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await untilGone(below)
  assert.equal(existsSync(join(folder, 'out.csv')), false)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  const again = await startRowmill(['run', input, output, '--classifier', CLASSIFIER], { env: { ROWMILL_BROKERS: '' } })
    .finished
  assert.equal(again.code, 0, again.stderr)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
})

test('a complete run leaves no process and no temporary file', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: 10 }, (_, i) => `${i},x\n`).join('')}`)
  const { child, finished } = startRowmill(['run', input, output, '--classifier', CLASSIFIER, '--workers', '1'], {
    env: { ROWMILL_BROKERS: '', TMPDIR: folder },
  })
  let below: ProcessInfo[] = []
  child.stderr.on('data', chunk => {
    if (String(chunk).includes('at work')) below = descendants(child.pid!)
  })
  assert.equal((await finished).code, 0)
  assert.ok(below.length >= 4, 'worker, Python, guard and JVM were seen')
  await untilGone(below)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
})
