/** rowmill status without --brokers finds what this user runs on this machine, from any folder. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type CliOptions, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { placeForRuns } from '../helpers/kept-runs.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

function place(t: TestContext) {
  const { folder, input, env } = placeForRuns(t, 400)
  const elsewhere = testFolder(t)
  const start = (args: readonly string[], more: CliOptions = {}) => {
    const started = startRowmill(args, { cwd: folder, ...more, env: { ...env, ...more.env } })
    t.after(() => started.child.kill('SIGKILL'))
    return started
  }
  const status = (...args: string[]) => rowmill(['status', ...args], { cwd: elsewhere, env })
  const notes = () => {
    const made = join(env.XDG_STATE_HOME, 'rowmill', 'commands')
    return existsSync(made) ? readdirSync(made) : []
  }
  return { folder, input, start, status, notes, classifier: waitingClassifier(folder) }
}

test('a run to standard output, with a broker of its own, is found from any folder while it runs', async t => {
  const { input, start, status, notes, classifier } = place(t)
  const run = start(['run', input, '-', '--classifier', classifier.file, '--workers', '1', '--batch-rows', '50'])
  await until('it is noted', () => notes().length === 1)
  await until('the classifier waits', () => existsSync(classifier.waits))
  const { code, stdout, stderr } = await status()
  assert.equal(code, 7, stderr)
  assert.match(stdout, /^job \S+ is running: all rows are published, \d+ % classified/)
  assert.match(stdout, /\nIt writes standard output\.\n$/)
  const following = start(['status', '-', '--follow'])
  await once(createInterface({ input: following.child.stdout }), 'line')
  writeFileSync(classifier.go, '')
  assert.equal((await run.finished).code, 0)
  const followed = await following.finished
  assert.match(followed.stdout, /complete|has ended/)
  assert.deepEqual(notes(), [])
  assert.equal((await status()).code, 2)
})

test('collect is found by its OUT, and so is its pipeline and that of a worker; which others there are is said', async t => {
  const { folder, input, start, status, notes, classifier } = place(t)
  const at = async () => {
    const { pipeline } = await testPipeline(t)
    return { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  }
  const [env, other] = [await at(), await at()]
  assert.equal((await start(['publish', input, '--job', 'orders', '--batch-rows', '50'], { env }).finished).code, 0)
  const collecting = start(['collect', 'out.csv', '--job', 'orders'], { env })
  const working = start(['work', '--classifier', classifier.file, '--workers', '1', '--batch-rows', '50'], { env })
  await until('both are noted', () => notes().length === 2)
  const found = await status()
  assert.equal(found.code, 7, found.stderr)
  assert.match(found.stdout, new RegExp(`^job orders is [\\s\\S]* pipeline\\s+${env.ROWMILL_PIPELINE} at\\s`))
  assert.doesNotMatch(found.stdout, /There is more/)
  for (const word of [join(folder, 'out.csv'), 'orders'])
    assert.match((await status(word)).stdout, /^job orders is /, word)

  const elsewhere = start(['work', '--classifier', classifier.file, '--workers', '1'], { env: other })
  await until('the other one is noted', () => notes().length === 3)
  const several = await status()
  const text = several.stdout.replaceAll(/\n +/g, ' ')
  const here = [env, other].map(({ ROWMILL_PIPELINE }) => text.includes(`pipeline ${ROWMILL_PIPELINE} at `))
  assert.equal(here.filter(Boolean).length, 1)
  const [left] = [env, other].filter((_, i) => !here[i])
  const [, command] = /There is more to watch: rowmill (status .*)\n/.exec(text)!
  assert.equal(command, `status --pipeline ${left!.ROWMILL_PIPELINE} --brokers ${left!.ROWMILL_BROKERS}`)
  assert.match((await status(...command!.split(' ').slice(1))).stdout, new RegExp(left!.ROWMILL_PIPELINE))

  collecting.child.kill('SIGKILL')
  await collecting.finished
  assert.match((await status(join(folder, 'out.csv'))).stdout, /^job orders is /, 'it can be resumed')
  writeFileSync(classifier.go, '')
  for (const { child, finished } of [working, elsewhere]) {
    child.kill('SIGTERM')
    await finished // the note of each is in a folder that is removed
  }
})
