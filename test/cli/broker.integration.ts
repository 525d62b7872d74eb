import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** A `rowmill broker` that has printed its address. */
async function runBroker(t: TestContext, args: readonly string[] = []) {
  const { child, finished } = startRowmill(['broker', ...args])
  t.after(() => child.kill('SIGKILL'))
  const [address] = await once(createInterface(child.stdout), 'line')
  return { child, finished, address: address as string, below: descendants(child.pid!) }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`a broker prints only its address on stdout, serves runs, and exits with 0 at ${signal}`, async t => {
    const { child, finished, address, below } = await runBroker(t)
    assert.match(address, /^127\.0\.0\.1:[0-9]+$/)
    const folder = testFolder(t)
    writeFileSync(join(folder, 'in.csv'), 'ID,A\n1,x\n2,y\n')
    const files = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    const run = await rowmill(['run', ...files, '--classifier', CLASSIFIER, '--brokers', address])
    assert.equal(run.code, 0, run.stderr)
    child.kill(signal)
    const { code, stdout } = await finished
    assert.deepEqual([code, stdout], [0, `${address}\n`])
    await untilGone(below)
  })
}

test('a broker whose JVM ends reports it with exit 3', async t => {
  const { finished, below } = await runBroker(t)
  process.kill(below.find(({ name }) => name === 'java')!.pid, 'SIGKILL')
  const { code, stderr } = await finished
  assert.equal(code, 3)
  assert.match(stderr, /the local Kafka ended by itself with status 137.*\[BROKER_FAILED\]/s)
})

test('a port that is taken is refused by number', async t => {
  const { address } = await runBroker(t)
  const port = address.split(':')[1]!
  const { code, stdout, stderr } = await rowmill(['broker', '--port', port])
  assert.deepEqual([code, stdout], [3, ''])
  assert.match(stderr, new RegExp(`port ${port}`))
})

test('a data directory that cannot be made is refused, even where Node would retry for ever', async t => {
  const folder = testFolder(t)
  writeFileSync(join(folder, 'file'), '')
  for (const data of ['/proc/rowmill', '/proc/rowmill/deeper', join(folder, 'file'), join(folder, 'file/below')]) {
    const { code, stderr } = await rowmill(['broker', '--data', data])
    assert.equal(code, 2, stderr)
    assert.match(stderr, new RegExp(`cannot create the data directory ${data}: .*--data \\[USAGE\\]`))
  }
})
