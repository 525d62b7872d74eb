import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** A `rowmill broker` that has printed its address. */
async function runBroker(t: TestContext, args: readonly string[] = []) {
  const { child, finished } = startRowmill(['broker', ...args])
  t.after(() => child.kill('SIGKILL'))
  const clientConfig = fileNamedOn(child.stderr)
  const [address] = await once(createInterface(child.stdout), 'line')
  return { child, finished, address: address as string, clientConfig, below: descendants(child.pid!) }
}

/** Resolves with the file that `rowmill broker --auth` names on stderr. */
function fileNamedOn(stderr: Readable): Promise<string> {
  return new Promise(resolve => {
    createInterface(stderr).on('line', line => {
      const [, file] = /--command-config (.*)$/.exec(line) ?? []
      if (file !== undefined) resolve(file)
    })
  })
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

test('a broker says that it is open to every user of the machine', async t => {
  const { child, finished } = await runBroker(t)
  child.kill('SIGTERM')
  assert.match(
    (await finished).stderr,
    /^rowmill: every user of this machine can read and write .* --auth keeps them out$/m,
  )
})

test('with --auth the file of the login is named in spite of --quiet, and nothing else is logged', async t => {
  const { child, finished, clientConfig } = await runBroker(t, ['--auth', '--quiet'])
  assert.ok(existsSync(await clientConfig))
  child.kill('SIGTERM')
  assert.match((await finished).stderr, /^rowmill: the other commands need --command-config \S+\n$/)
})

/** What is in this folder and has a right for other users. */
function openToOthers(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[]
  return names.filter(name => (statSync(join(folder, name), { throwIfNoEntry: false })?.mode ?? 0) & 0o077)
}

for (const where of ['in its data folder', 'in its temporary folder'] as const)
  test(`with --auth only those get in who have the file that the broker names, ${where}`, async t => {
    const folder = testFolder(t)
    const data = join(folder, 'data')
    const { child, finished, address, clientConfig } = await runBroker(
      t,
      where === 'in its data folder' ? ['--auth', '--data', data] : ['--auth'],
    )
    const file = await clientConfig
    if (where === 'in its data folder') assert.equal(file, join(data, 'client.properties'))
    assert.deepEqual([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777], [0o600, 0o700])
    assert.deepEqual(
      openToOthers(dirname(file)).filter(() => where === 'in its data folder'),
      [],
    )
    writeFileSync(join(folder, 'in.csv'), 'ID,A\n1,x\n2,y\n')
    const args = ['run', join(folder, 'in.csv'), join(folder, 'out.csv'), '--classifier', CLASSIFIER]
    const refused = await rowmill([...args, '--brokers', address, '--broker-timeout', '1'])
    assert.equal(refused.code, 3, refused.stderr)
    const run = await rowmill([...args, '--command-config', file])
    assert.equal(run.code, 0, run.stderr)
    child.kill('SIGTERM')
    const { code, stdout } = await finished
    assert.deepEqual([code, stdout, existsSync(file)], [0, `${address}\n`, false])
  })

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
