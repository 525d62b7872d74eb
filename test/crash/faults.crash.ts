/** Processes that freeze, leave and die at any moment; brokers that disappear; topics that lose their messages. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { encodeEndOfInput, encodeRows } from '../../src/wire/codec.ts'
import { testKafka } from '../helpers/broker.ts'
import { startRowmill } from '../helpers/cli.ts'
import { deleteBefore } from '../helpers/kafka-tools.ts'
import { partialOf } from '../helpers/partial.ts'
import { descendants } from '../helpers/processes.ts'
import { seeded } from '../helpers/seeded.ts'
import { until } from '../helpers/until.ts'
import { assertCode, assertOutagesToldOnce, CLASSIFIER, type Command, Fire, ONE_MOVES, TWO_MOVE } from './fire.ts'
import { ownBroker } from './own-broker.ts'

/** The worker process of a command, with the Python below it. */
function workersOf({ child }: Command): number[] {
  const [worker] = descendants(child.pid!)
  assert.ok(worker, 'a worker process')
  return [worker.pid, ...descendants(worker.pid).map(({ pid }) => pid)]
}

test('a worker that freezes past its session and wakes does no harm', async t => {
  const fire = await Fire.open(t, { rows: 8000 })
  const admin = await (await testKafka()).admin()
  t.after(() => admin.close())
  const working = [fire.work(1), fire.work(1)]
  const [published, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1000)
  const frozen = workersOf(working[0]!)
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
  const group = workersGroup(fire.pipeline)
  await until('the group misses it', async () => (await admin.groupMembers(group)) === 1)
  await fire.untilClassified(4500)
  for (const pid of frozen) process.kill(pid, 'SIGCONT')
  for (const { finished } of [published, collected]) assertCode(await finished, 0)
  await fire.drain(...working)
  // The second worker joins; the group misses the frozen one; it wakes, classifies until it learns that, and rejoins.
  await fire.check({ again: ONE_MOVES + 2 * TWO_MOVE })
})

test('workers that leave in order, and new ones, repeat at most their batches in flight', async t => {
  const fire = await Fire.open(t, { rows: 6000 })
  const first = fire.work(2)
  const [published, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1500)
  const second = fire.work(1)
  await fire.untilClassified(3000)
  await fire.drain(first)
  for (const { finished } of [published, collected]) assertCode(await finished, 0)
  await fire.drain(second)
  // At the start one worker joins the other, and later a third joins both. Then two leave, one after the other.
  await fire.check({ again: 2 * ONE_MOVES + 2 * TWO_MOVE })
})

test('commands and classifiers are killed at random moments', async t => {
  const random = seeded(t)
  const fire = await Fire.open(t, { rows: 12_000 })
  const working = fire.work(2)
  let done = false
  const publishing = fire.untilDone(() => fire.publish())
  const collecting = fire
    .untilDone(() => fire.collect())
    .finally(() => {
      done = true
    })
  // The supervisor gives up on workers that die repeatedly without work, so they must classify in between.
  for (let time = 0; time < 15 && !done; time++) {
    const classified = fire.batches
    await until('something is classified', () => done || fire.batches > classified)
    await sleep(random(900))
    const commands = fire.running.map(({ child }) => child.pid!)
    const victims = [...descendants(working.child.pid!).map(({ pid }) => pid), ...commands]
    const victim = victims.filter(pid => pid !== working.child.pid)[random(victims.length - 1)]
    try {
      if (victim !== undefined && !done) process.kill(victim, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
  const ended = working.finished.then(({ stderr }) => assert.fail(`the workers ended: ${stderr}`))
  await Promise.race([Promise.all([publishing, collecting]), ended])
  ended.catch(() => {})
  await fire.drain(working)
  await fire.check({ again: 12_000 })
})

test('a broker killed with -9 and restarted is logged once by each part, and everything resumes', async t => {
  const broker = await ownBroker(t)
  const fire = await Fire.open(t, { rows: 6000, brokers: broker.address })
  const working = fire.work(2)
  const [published, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1500)
  await broker.kill()
  await sleep(3000)
  await broker.start()
  for (const { finished } of [published, collected]) assertCode(await finished, 0)
  const { stderr } = await collected.finished
  assertOutagesToldOnce(stderr)
  assert.doesNotMatch(stderr, /Warning/)
  await fire.drain(working)
  assert.doesNotMatch((await working.finished).stderr, /Warning|starting it again/)
  // During the outage workers continue with their rows; if the group drops them, other workers get these rows too.
  await fire.check({ again: fire.rows })
})

test('a worker killed during an outage waits for the broker as the other one does', async t => {
  const broker = await ownBroker(t)
  const fire = await Fire.open(t, { rows: 4000, brokers: broker.address })
  const working = fire.work(2)
  const [published, collected] = [fire.publish(), fire.collect()]
  await fire.untilClassified(1000)
  await broker.kill()
  process.kill(workersOf(working)[0]!, 'SIGKILL')
  await sleep(8000) // longer than a command that starts without a broker retries
  await broker.start()
  for (const { finished } of [published, collected]) assertCode(await finished, 0)
  await fire.drain(working)
  await fire.check({ again: fire.rows })
})

test('an outage longer than --broker-timeout ends every part with 3, and all of them resume later', async t => {
  const broker = await ownBroker(t)
  const fire = await Fire.open(t, { rows: 4000, brokers: broker.address })
  const patience = ['--broker-timeout', '3']
  const working = fire.work(2, { more: patience })
  const collected = fire.collect({ more: patience })
  assertCode(await fire.publish().finished, 0)
  await fire.untilClassified(1000)
  await broker.kill()
  for (const { finished } of [working, collected]) assertCode(await finished, 3)
  assert.match((await collected.finished).stderr, /\[BROKER_UNREACHABLE\]\n.*to resume: rowmill collect .*\n$/)
  await broker.start()
  const again = fire.work(2)
  assertCode(await fire.collect().finished, 0)
  await fire.drain(again)
  // During the outage workers continue with their rows but commit nothing, so all of that work is repeated. Besides, the
  // second worker joins the first at both starts.
  await fire.check({ again: fire.rows + 2 * ONE_MOVES })
})

test('topics deleted before they were read end the collector with 6, naming partition and row', async t => {
  const fire = await Fire.open(t)
  const admin = await (await testKafka()).admin()
  t.after(() => admin.close())
  assertCode(await fire.publish().finished, 0)
  const collected = fire.collect()
  await until('the collector reads', () => partialOf(fire.output) !== null)
  await admin.deleteTopics([topicsOf(fire.pipeline).bulk])
  const began = performance.now()
  const { code, stderr } = await collected.finished
  assert.equal(code, 6, stderr)
  assert.match(stderr, /row 0 \(partition 0\) can no longer come: topic \S+\.bulk was deleted.*\[ROW_GAP\]/)
  assert.ok(performance.now() - began < 30_000, 'within 30 s')
  assert.equal(existsSync(fire.output), false)
})

test('rows that retention deleted unread end the collector with 6, naming partition and row', async t => {
  const fire = await Fire.open(t)
  const { bulk: topic } = topicsOf(fire.pipeline)
  const kafka = await testKafka()
  const reader = await kafka.admin()
  t.after(() => reader.close())
  const truncated = async (job: string, offset: number) => {
    assertCode(await fire.start(['publish', fire.input, '--job', job]).finished, 0)
    const [from, { end }] = await Promise.all([rowsFrom(fire.pipeline, job), reader.bounds(topic, 0)])
    await deleteBefore(kafka.settings.brokers.join(), [{ topic, partition: 0, offset: Math.min(end, from + offset) }])
  }
  const collect = (job: string) => fire.start(['collect', join(fire.folder, `${job}.csv`), '--job', job]).finished
  await truncated('part', 1)
  const working = fire.work(1)
  const part = await collect('part')
  assertCode(part, 6)
  assert.match(part.stderr, /results\[0\]@\d+: expected the result of row 0 .*\[ROW_GAP\]/)
  await fire.drain(working)
  await truncated('all', Number.POSITIVE_INFINITY)
  const again = fire.work(1)
  const all = await collect('all')
  assertCode(all, 6)
  assert.match(all.stderr, /row 0 \(partition 0\) can no longer come: \S+\.bulk\[0\] holds nothing for the workers/)
  await fire.drain(again)
})

async function rowsFrom(pipeline: string, job: string): Promise<number> {
  const jobs = await JobLog.open(await testKafka(), pipeline, () => {})
  try {
    return (await jobs.latest(job))!.rowsFrom[0]!
  } finally {
    await jobs.close()
  }
}

test('unreadable messages and a contradictory job end nobody else', async t => {
  const fire = await Fire.open(t)
  const kafka = await testKafka()
  const producer = await kafka.producer()
  t.after(() => producer.close())
  const topics = topicsOf(fire.pipeline)
  assertCode(await fire.publish().finished, 0)
  const bad = startRowmill(['publish', '-', '--job', 'bad'], { env: fire.env, input: 'ID,A\n1,x\n', inputStays: true })
  t.after(() => bad.child.kill('SIGKILL'))
  const jobs = await JobLog.open(kafka, fire.pipeline, () => {})
  t.after(() => jobs.close())
  await jobs.until('bad', () => true, AbortSignal.timeout(30_000))
  const garbage = { key: 'j', value: Buffer.from('garbage') }
  for (const topic of [topics.rows, topics.bulk, topics.results, topics.rejects, topics.jobs])
    await producer.send({ topic, partition: 0 }, [garbage, { key: '', value: Buffer.alloc(0) }])
  const end = { job: 'bad', epoch: 0, from: 0, attempt: 0, partition: 0, rows: 7, total: 56 }
  const nobody = { job: 'nobody', epoch: 0, from: 0, seq: 0, count: 1, line: null, lineSteps: null, rows: [['1', 'a']] }
  const above = { ...nobody, job: 'bad', seq: 8_000_000 }
  for (const value of [encodeEndOfInput(end), encodeRows(nobody), encodeRows(above)])
    await producer.send({ topic: topics.bulk, partition: 0 }, [{ key: 'bad', value }])
  bad.child.stdin.end('2,y\n')
  assertCode(await bad.finished, 0)
  const working = fire.work(2)
  const [good, contradicted] = [fire.collect(), fire.start(['collect', join(fire.folder, 'bad.csv'), '--job', 'bad'])]
  assertCode(await contradicted.finished, 6)
  assert.match((await contradicted.finished).stderr, /\[ROW_MALFORMED\]/)
  assertCode(await good.finished, 0)
  await fire.drain(working)
  assert.equal(readFileSync(fire.output, 'utf8'), fire.serial)
})

test('a shorter, altered or foreign partial file is refused, and --restart is the cure', async t => {
  const fire = await Fire.open(t, { rows: 6000 })
  assertCode(await fire.publish().finished, 0)
  const collecting = fire.collect({ at: 'checkpointed', time: 2 })
  const working = fire.work(2) // not before: rows already classified are collected within one checkpoint
  const killed = await collecting.finished
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  assert.ok(statSync(partialOf(fire.output)!).size > 0)
  const other = await fire.start(['collect', fire.output, '--job', 'other']).finished
  assertCode(other, 2)
  assert.match(other.stderr, /holds an unfinished job, j of pipeline .*--restart/)
  const running = await fire.start(['run', fire.input, fire.output, '--classifier', CLASSIFIER]).finished
  assertCode(running, 2)
  assert.match(running.stderr, /holds an unfinished job of rowmill collect.*--restart/)
  await fire.stopWatching()
  truncateSync(partialOf(fire.output)!, 10)
  const refused = await fire.collect().finished
  assertCode(refused, 2)
  assert.match(refused.stderr, /has 10 bytes, fewer than the \d+ of the last checkpoint.*--restart/)
  assertCode(await fire.collect({ more: ['--restart'] }).finished, 0)
  await fire.drain(working)
  await fire.check({ again: ONE_MOVES })
})
