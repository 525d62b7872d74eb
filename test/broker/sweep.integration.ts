import assert from 'node:assert/strict'
import { access, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import {
  makeBrokerDirectory,
  sweepBrokerDirectories,
  takeBrokerDirectory,
} from '../../src/broker/jvm/broker-directory.ts'
import { brokerFiles } from '../../src/broker/jvm/broker-files.ts'
import { type Guarded, startGuarded } from '../../src/broker/jvm/guard.ts'
import { prepareKafkaJars } from '../../src/broker/local-broker.ts'
import { identify, identifySelf, isAlive } from '../../src/support/process-identity.ts'
import { runFixture } from '../helpers/broker-owner.ts'
import { descendants, freeze, untilGone } from '../helpers/processes.ts'

const environment = process.env['TMPDIR']
/** An owner that has ended: this pid is ours, but we did not start at that time. */
const dead = { pid: process.pid, start: '1' }
let folder = ''

before(async () => {
  await prepareKafkaJars()
  folder = await mkdtemp(join(tmpdir(), 'rowmill-sweep-'))
  process.env['TMPDIR'] = folder
})

after(async () => {
  if (environment === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = environment
  await rm(folder, { recursive: true })
})

test('a JVM whose owner and guard were all killed is swept with its directory', async t => {
  const owner = runFixture(t, 'owner')
  await owner.says('address')
  const below = descendants(owner.pid)
  const java = below.filter(({ name }) => name === 'java')
  const guards = below.filter(({ name }) => name === 'sh')
  assert.deepEqual([java.length, guards.length], [1, 2])
  const jvm = identify(java[0]!.pid)!
  const directory = await directoryOf(jvm.pid)
  // Frozen, or it would end normally between the two guards, and the remaining guard would do its duty.
  await freeze(owner.pid)
  for (const { pid } of guards) process.kill(pid, 'SIGKILL')
  await owner.kill()
  await untilGone(guards)
  assert.ok(isAlive(jvm), 'nothing is left that could have ended it')
  assert.ok(await exists(directory))
  await sweepBrokerDirectories()
  await untilGone(java)
  assert.equal(await exists(directory), false)
})

test('a process with the pid of the JVM but another start time is not touched', async t => {
  const { directory, process: bystander } = await abandoned(t, 'same name')
  await writeOwnerFile(directory, { jvm: { pid: bystander.process.pid, start: '1' } })
  await sweepBrokerDirectories()
  assert.ok(isAlive(bystander.process))
  assert.equal(await exists(directory), false)
})

test('a process with pid and start time of the JVM but another directory is not touched', async t => {
  const { directory, process: bystander } = await abandoned(t, 'other name')
  await writeOwnerFile(directory, { jvm: bystander.process })
  await sweepBrokerDirectories()
  assert.ok(isAlive(bystander.process))
  assert.equal(await exists(directory), false)
})

test('a process with the same pid, start time and directory is killed', async t => {
  const { directory, process: orphan } = await abandoned(t, 'same name')
  await writeOwnerFile(directory, { jvm: orphan.process })
  await sweepBrokerDirectories()
  assert.equal(await orphan.ended, 137)
  assert.equal(await exists(directory), false)
})

test('directories of living owners, other machines or places, and new ones without an owner stay', async t => {
  const [living, unseen] = [await makeBrokerDirectory(), await makeBrokerDirectory()]
  t.after(() => Promise.all([living.release(), unseen.release()]))
  // Its owner lives in another PID namespace, as in another container with the same host name.
  await writeOwnerFile(unseen.path, {})
  const paths: string[] = []
  for (let made = 0; made < 4; made++) paths.push(await abandonedDirectory())
  const [foreign, moved, fresh, old] = paths as [string, string, string, string]
  await writeOwnerFile(foreign, { host: 'elsewhere' })
  await writeOwnerFile(moved, { directory: foreign })
  await rm(brokerFiles(fresh).owner)
  await rm(brokerFiles(old).owner)
  const yesterday = Date.now() / 1000 - 86_400
  await utimes(old, yesterday, yesterday)
  await sweepBrokerDirectories()
  const stay = await Promise.all([living.path, unseen.path, foreign, moved, fresh, old].map(exists))
  assert.deepEqual(stay, [true, true, true, true, true, false])
})

test('a data directory can be taken only once, by anyone, and again after it is released', async t => {
  const path = join(folder, 'deep/data')
  const first = await takeBrokerDirectory(path)
  t.after(() => first.release())
  const inUse = { code: 'BROKER_FAILED', message: new RegExp(`in use by process ${process.pid} on `) }
  await assert.rejects(takeBrokerDirectory(path), inUse)
  await first.release()
  const second = await takeBrokerDirectory(path)
  await second.release()
  assert.deepEqual(await readdir(path), [])
})

test('the lock file of a running broker names its JVM', async t => {
  const owner = runFixture(t, 'owner')
  await owner.says('address')
  const below = descendants(owner.pid)
  const java = below.find(({ name }) => name === 'java')!
  const directory = await directoryOf(java.pid)
  const lock = JSON.parse(await readFile(brokerFiles(directory).owner, 'utf8'))
  assert.deepEqual([lock.directory, lock.jvm.pid, lock.owner.pid], [directory, java.pid, owner.pid])
  assert.ok(isAlive(lock.jvm))
  assert.equal(isAlive({ ...lock.jvm, start: identifySelf().start }), false)
  await owner.kill()
  await untilGone(below)
})

/** A directory as a dead owner leaves it, and a process whose arguments name it, or another one. */
async function abandoned(t: TestContext, kind: 'same name' | 'other name') {
  const directory = await abandonedDirectory()
  const argument = kind === 'same name' ? brokerFiles(directory).properties : join(folder, 'other.properties')
  const output = join(folder, 'output')
  const args = ['-c', 'while :; do sleep 1; done', argument]
  const guarded: Guarded = await startGuarded({ command: '/bin/sh', args, directory: folder, output })
  t.after(guarded.close)
  return { directory, process: guarded }
}

/** A directory with an owner file and a lock without a holder, as a dead owner leaves it. */
async function abandonedDirectory(): Promise<string> {
  const path = await mkdtemp(join(folder, 'rowmill-broker-'))
  await writeOwnerFile(path, {})
  await writeFile(brokerFiles(path).lock, '')
  return path
}

async function writeOwnerFile(directory: string, facts: object): Promise<void> {
  const owner = { directory, host: hostname(), owner: dead, jvm: null, ...facts }
  await writeFile(brokerFiles(directory).owner, JSON.stringify(owner))
}

async function directoryOf(java: number): Promise<string> {
  const line = await readFile(`/proc/${java}/cmdline`, 'utf8')
  return line.split('\0').at(-2)!.replace('/server.properties', '')
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
