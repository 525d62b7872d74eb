import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { forgetRun, noteRun, runsIn } from '../../src/broker/kept/kept-folder.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { commandLine, isAlive } from '../../src/support/process-identity.ts'
import { testFolder } from '../helpers/cli.ts'
import { jvmOf, keptPlace, listTopics, untilEnded } from '../helpers/kept-place.ts'
import { descendants, freeze, type ProcessInfo, untilGone } from '../helpers/processes.ts'

test('a broker that is frozen is replaced for its only user, and one that was killed is started anew', async t => {
  const place = keptPlace(t, 60_000)
  const first = await place.open()
  const frozen = await place.keeper()
  await first.close()
  const jvm = jvmOf(frozen)
  await freeze(jvm.pid)
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

test('a broker that is frozen stays as long as another run uses it', async t => {
  const place = keptPlace(t, 60_000)
  const first = await place.open()
  const jvm = jvmOf(await place.keeper())
  await freeze(jvm.pid)
  assert.equal(await place.tryOpen(), 'the kept Kafka does not answer')
  process.kill(jvm.pid, 'SIGCONT')
  await listTopics(first)
})

test('a keeper that is frozen costs a run no more than its patience: the run starts its own broker', async t => {
  const place = keptPlace(t, 60_000)
  await (await place.open()).close()
  const keeper = await place.keeper()
  await freeze(keeper.pid)
  const why = await place.tryOpen()
  process.kill(keeper.pid, 'SIGCONT')
  assert.equal(why, 'the kept Kafka does not answer')
})

test('a keeper that is frozen while it starts: the run says that the broker is not ready, and starts its own', async t => {
  const place = keptPlace(t, 60_000)
  const found = () => descendants(process.pid).find(({ pid }) => commandLine(pid)?.includes('keeper-process'))
  let keeper: ProcessInfo | undefined
  const onLaunched = () => {
    keeper = found()
    process.kill(keeper!.pid, 'SIGSTOP')
  }
  const why = await place.tryOpen({ startMs: 2000, onLaunched })
  process.kill(keeper!.pid, 'SIGCONT')
  await untilGone([keeper!])
  assert.equal(why, 'the kept Kafka is not ready after 2 s')
})

test('a broker whose guard was killed ends, the run that uses it is told, and the next run gets a new one', async t => {
  const place = keptPlace(t, 60_000)
  const broker = await place.open()
  const keeper = await place.keeper()
  const jvm = jvmOf(keeper)
  const guard = descendants(keeper.pid).find(({ pid }) => descendants(pid).some(below => below.pid === jvm.pid))!
  process.kill(guard.pid, 'SIGKILL')
  assert.match((await broker.died).message, /lost its guard/)
  await untilEnded(keeper)
  assert.equal(isAlive(jvm), false)
  await listTopics(await place.open())
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
  await forgetRun(place.folder, 'mine')
  await second.close()
})

test('a broker whose folder was removed ends', async t => {
  const place = keptPlace(t, 60_000)
  await (await place.open()).close()
  const keeper = await place.keeper()
  await rm(place.folder, { recursive: true })
  await untilEnded(keeper)
})
