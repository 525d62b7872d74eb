/** Floods of unreadable messages, over a Kafka in memory. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Reject } from '../../src/model.ts'
import { decode } from '../../src/wire/codec.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const LAYOUT = { partitions: 2, blockRows: 5 }
const junk = (count: number) => Array.from({ length: count }, () => ({ key: null, value: Buffer.from('of nobody') }))
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** A pipeline in which copies of rejected messages wait until a test releases them. */
async function pipelineWithHeldCopies(t: TestContext) {
  const { cluster, running, topics, log } = await fakePipeline(t, LAYOUT)
  const time = new ManualTime().runs(t)
  const hold = Promise.withResolvers<void>()
  let asked = 0
  cluster.onProduce = async ({ topic }, messages) => {
    if (topic !== topics.rejects) return undefined
    asked += messages.length
    await hold.promise
    return undefined
  }
  /** Offsets of partition 0 of `rows` whose copy is in `rejects`. */
  const copied = () => {
    const { messages } = log('rejects').read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
    return messages.map(({ value }) => (decode(value!).value as Reject).offset)
  }
  const committed = (partition = 0) =>
    cluster.groups.get('p.workers')?.committed.get(`${topics.rows}/${partition}`)?.offset ?? 0
  const untilCommitted = async (offset: number, partition = 0) => {
    while (committed(partition) < offset) await turn()
  }
  const client = () => cluster.client()
  return { running, log, time, copied, committed, untilCommitted, client, asked: () => asked, release: hold.resolve }
}

test('rejects delay no row after them, and are not committed before their copies are written', async t => {
  const { running, log, time, copied, committed, untilCommitted, release } = await pipelineWithHeldCopies(t)
  log('rows').append(junk(50))
  await running.publish('j', [numbered(100)])
  const worker = await running.work(new Exclaimer(), { batchRows: 5, time })
  assert.deepEqual((await running.collect('j')).written, classified(numbered(100)))
  await untilCommitted(log('rows', 1).end, 1)
  await time.pass(1000)
  assert.equal(committed(), 0)
  release()
  await untilCommitted(log('rows').end)
  assert.deepEqual(copied(), range(50))
  await worker.drain()
})

test('rejects between rows are not committed before their copies are written', async t => {
  const { running, log, time, committed, untilCommitted, release } = await pipelineWithHeldCopies(t)
  await running.publish('j', [numbered(50)])
  const between = log('rows').end
  log('rows').append(junk(1))
  await running.publish('k', [numbered(50)])
  await running.work(new Exclaimer(), { batchRows: 5, time })
  await running.collect('k')
  await untilCommitted(between)
  await time.pass(1000)
  assert.equal(committed(), between)
  release()
  await untilCommitted(log('rows').end)
})

test('a worker that dies with copies in flight loses none: the next owner writes them', async t => {
  const { running, log, time, copied, untilCommitted, client, asked, release } = await pipelineWithHeldCopies(t)
  log('rows').append(junk(3000))
  const first = client()
  const dying = await running.work(new Exclaimer(), { name: 'first', kafka: first.kafka, time })
  while (asked() === 0) await turn()
  first.kill()
  release()
  await assert.rejects(dying.ended)
  assert.equal(log('rejects').end, 0)
  await running.work(new Exclaimer(), { name: 'second', kafka: client().kafka, time })
  await untilCommitted(3000)
  assert.deepEqual(copied(), range(3000))
})

test('a rebalance with copies in flight loses none, and repeats at most uncommitted ones', async t => {
  const { running, log, time, copied, untilCommitted, client, asked, release } = await pipelineWithHeldCopies(t)
  log('rows').append(junk(3000))
  await running.work(new Exclaimer(), { name: 'first', kafka: client().kafka, time })
  while (asked() === 0) await turn()
  const said: string[] = []
  const joined = Promise.withResolvers<void>()
  await running.publish('j', [numbered(100)])
  const second = new Exclaimer(async () => joined.resolve())
  await running.work(second, { name: 'second', kafka: client().kafka, time, say: text => said.push(text) })
  await joined.promise
  release()
  await untilCommitted(log('rows').end)
  assert.deepEqual((await running.collect('j')).written, classified(numbered(100)))
  const all = copied()
  assert.deepEqual(
    [...new Set(all)].sort((a, b) => a - b),
    range(3000),
  )
  assert.ok(all.length <= 6000, `${all.length} copies`)
})

test('a worker that leaves waits for the copies that it sent, and commits them', async t => {
  const { running, log, time, copied, committed, asked, release } = await pipelineWithHeldCopies(t)
  log('rows').append(junk(20))
  const worker = await running.work(new Exclaimer(), { time })
  while (asked() === 0) await turn()
  const leaving = worker.drain()
  await time.pass(1000)
  assert.equal(committed(), 0)
  release()
  await leaving
  assert.equal(committed(), copied().length)
})

test('a flood of rejects takes few requests, and another partition does not wait for its end', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, LAYOUT)
  let requests = 0
  cluster.onProduce = async ({ topic }) => {
    if (topic === topics.rejects) requests++
    await turn()
    return undefined
  }
  log('rows').append(junk(20_000))
  const working = running.work(new Exclaimer(), { batchRows: 5 })
  while (requests === 0) await turn()
  log('rows', 1).append(log('rows').read(0, { maxBytes: 1, atLeastOne: true }).messages.slice(0, 1))
  while (log('rejects').end < 20_001) await turn()
  assert.ok(requests < 2_000, `${requests} requests`)
  const { messages } = log('rejects').read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
  const at = messages.findIndex(({ value }) => (decode(value!).value as Reject).partition === 1)
  assert.ok(at < 19_000, `the message of the other partition came as number ${at}`)
  await (await working).drain()
})

test('a flood of rejects is logged in a few lines, and one with the number of the others', async t => {
  const { running, log, untilCommitted, release } = await pipelineWithHeldCopies(t)
  const time = new ManualTime()
  const said: string[] = []
  release()
  log('rows').append(junk(10_000))
  log('rows', 1).append(junk(1))
  const worker = await running.work(new Exclaimer(), { time, say: text => said.push(text) })
  while (log('rejects').end < 10_001) await turn()
  await time.pass(1000)
  const ofFlood = said.filter(text => text.includes('rows[0]'))
  assert.equal(ofFlood.length, 6)
  assert.match(ofFlood[0]!, /^p\.rows\[0\]@0: MALFORMED .*; a copy is in p\.rejects$/)
  assert.equal(ofFlood[5], '... and 9,995 more MALFORMED in p.rows[0], offsets 5 to 9999; copies are in p.rejects')
  assert.equal(said.filter(text => text.includes('rows[1]@0: MALFORMED')).length, 1)
  await untilCommitted(10_000)
  await worker.drain()
})
