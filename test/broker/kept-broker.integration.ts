import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { visit } from '../../src/broker/kept/door.ts'
import { type KeptBroker, openKeptBroker } from '../../src/broker/kept/kept-broker.ts'
import { forgetRuns, keptFiles, noteRun, runsIn } from '../../src/broker/kept/kept-folder.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/support/process-identity.ts'
import { testFolder } from '../helpers/cli.ts'
import { keptState } from '../helpers/kept-state.ts'
import { descendants } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

const SMALL = { partitions: 8, workers: 2 }

test('ten runs that start at once share one private broker, which ends after the last of them', async t => {
  const place = keptPlace(t, 200)
  const brokers = await Promise.all(Array.from({ length: 10 }, () => place.open()))
  assert.equal(new Set(brokers.map(({ address }) => address)).size, 1)
  const keeper = await place.keeper()
  assert.equal(statSync(place.folder).mode & 0o777, 0o700)
  assert.equal(statSync(brokers[0]!.clientConfig!).mode & 0o777, 0o600)
  const jvm = jvmOf(keeper)
  for (const broker of brokers.slice(1)) await broker.close()
  await listTopics(brokers[0]!)
  await brokers[0]!.close()
  await untilEnded(keeper)
  assert.equal(isAlive(jvm), false)
  assert.deepEqual(await readdir(dirname(place.folder)), [], 'nothing stays')
})

test('a broker that is frozen is replaced for its only user, and one that was killed is started anew', async t => {
  const place = keptPlace(t, 60_000)
  const first = await place.open()
  const frozen = await place.keeper()
  await first.close()
  const jvm = jvmOf(frozen)
  process.kill(jvm.pid, 'SIGSTOP')
  const second = await place.open()
  assert.notEqual(second.address, first.address)
  assert.equal(isAlive(jvm), false)
  await listTopics(second)
  const keeper = await place.keeper()
  const orphan = jvmOf(keeper)
  process.kill(keeper.pid, 'SIGKILL')
  assert.equal((await second.died).code, 'BROKER_FAILED')
  await untilEnded(orphan)
  await listTopics(await place.open())
})

test('a keeper that is frozen costs a run no more than its patience: the run starts its own broker', async t => {
  const place = keptPlace(t, 60_000)
  await (await place.open()).close()
  const keeper = await place.keeper()
  process.kill(keeper.pid, 'SIGSTOP')
  const why = await place.tryOpen()
  process.kill(keeper.pid, 'SIGCONT')
  assert.equal(why, 'the kept Kafka does not answer')
})

test('the topics of a run that can be resumed outlive its broker', async t => {
  const place = keptPlace(t, 60_000)
  const runFile = join(testFolder(t), 'run.json')
  const first = await place.open()
  await noteRun(place.folder, 'mine', runFile)
  const admin = await new Kafka({ ...first.cluster, clientId: 'test' }).admin()
  await ensureTopics(admin, 'mine', 1, { bulk: false, say: () => {} })
  await admin.close()
  await first.close()
  await place.stop()
  assert.ok(existsSync(place.folder))
  const second = await place.open()
  assert.deepEqual(await listTopics(second), ['mine.jobs'])
  assert.deepEqual(await runsIn(place.folder), { needed: ['mine'], abandoned: [] })
  await forgetRuns(place.folder, ['mine'])
  await second.close()
})

test('a broker whose folder was removed ends, and a folder that others may enter is not used', async t => {
  const place = keptPlace(t, 60_000)
  await (await place.open()).close()
  const keeper = await place.keeper()
  await rm(place.folder, { recursive: true })
  await untilEnded(keeper)
  mkdirSync(place.folder)
  chmodSync(place.folder, 0o755)
  assert.equal(await place.tryOpen(), 'other users may enter it')
})

/** A place for a broker of this test alone. Nothing of it runs after the test. */
function keptPlace(t: TestContext, idleMs: number) {
  const { place: folder } = keptState(t, made => join(made, 'state', 'broker'))
  mkdirSync(dirname(folder))
  const tryOpen = () =>
    openKeptBroker({ folder, load: SMALL, idleMs, signal: t.signal, say: text => t.diagnostic(text) })
  const open = async () => {
    const broker = await tryOpen()
    assert.ok(typeof broker !== 'string', `${broker}`)
    return broker
  }
  const ask = (word: 'look' | 'stop') => visit(keptFiles(folder).door, word)
  const keeper = async () => {
    const visited = await ask('look')
    assert.ok(typeof visited !== 'string', `${visited}`)
    visited.leave()
    return identify(visited.state.pid)!
  }
  const stop = async () => {
    const last = await keeper()
    await ask('stop')
    await untilEnded(last)
  }
  return { folder, tryOpen, open, keeper, stop }
}

function untilEnded(one: ProcessIdentity): Promise<void> {
  return until(`process ${one.pid} ends`, () => !isAlive(one))
}

function jvmOf(keeper: ProcessIdentity): ProcessIdentity {
  return identify(descendants(keeper.pid).find(({ name }) => name === 'java')!.pid)!
}

async function listTopics({ cluster }: KeptBroker): Promise<string[]> {
  const admin = await new Kafka({ ...cluster, clientId: 'test' }).admin()
  try {
    return [...(await admin.partitions(['mine.jobs'])).keys()]
  } finally {
    await admin.close()
  }
}
