/** The parts of rowmill over a Kafka in memory: the outcome of every row when the cluster does rare things. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { RunningPipeline } from '../helpers/running-pipeline.ts'

const LAYOUT = { partitions: 4, blockRows: 5 }

/** A promise that a test resolves. */
function event(): { came: Promise<void>; now: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { came: promise, now: resolve }
}

/** Two workers as two processes: each has its own client and its own time. */
async function twoWorkers(t: TestContext) {
  const { cluster, running, ...rest } = await fakePipeline(t, LAYOUT)
  const process = (name: string) => {
    const client = cluster.client()
    const time = new ManualTime().runs(t)
    const work = (classifier: Exclaimer) => running.work(classifier, { name, kafka: client.kafka, time, batchRows: 5 })
    return { client, work }
  }
  return { cluster, running, first: process('first'), second: process('second'), ...rest }
}

test('rows come out once and in order, and all of them are committed', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, LAYOUT)
  const worker = await running.work(new Exclaimer())
  const [rows, { written, duplicates }] = await Promise.all([
    running.publish('j', [numbered(203)]),
    running.collect('j'),
  ])
  assert.deepEqual([rows, duplicates], [203, 0])
  assert.deepEqual(written, classified(numbered(203)))
  await worker.drain()
  const { committed } = cluster.groups.get('p.workers')!
  for (let partition = 0; partition < LAYOUT.partitions; partition++)
    assert.equal(committed.get(`${topics.rows}/${partition}`)?.offset, log('rows', partition).end)
})

test('rows that one fetch brings from a partition are classified in one batch', async t => {
  const { running } = await fakePipeline(t, { partitions: 2, blockRows: 1 })
  await running.publish('j', [numbered(20)])
  const classifier = new Exclaimer()
  await running.work(classifier, { time: new ManualTime() })
  const { written } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(20)))
  assert.deepEqual(
    classifier.batches.map(({ rows }) => rows.length),
    [10, 10],
  )
})

test('a worker that joins in the middle of a batch leaves every row exactly once', async t => {
  const { running, first, second } = await twoWorkers(t)
  const [busy, go] = [event(), event()]
  await running.publish('j', [numbered(100)])
  const slow = new Exclaimer(async (_, number) => {
    if (number !== 3) return
    busy.now()
    await go.came
  })
  await first.work(slow)
  await busy.came
  const joined = event()
  await second.work(new Exclaimer(async () => joined.now()))
  await joined.came
  go.now()
  const { written, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(100)))
  assert.deepEqual([...rowsByWorker.keys()].sort(), ['first', 'second'])
})

test('a worker that the group declares dead while it works leaves every row exactly once', async t => {
  const { running, first, second } = await twoWorkers(t)
  await running.publish('j', [numbered(100)])
  const [busy, go] = [event(), event()]
  const frozen = new Exclaimer(async (_, number) => {
    if (number === 2) busy.now()
    if (number >= 2) await go.came
  })
  await first.work(frozen)
  await busy.came
  await second.work(new Exclaimer())
  first.client.expire()
  const collecting = running.collect('j')
  go.now() // its pending results are sent now, after the other one had sent them
  assert.deepEqual((await collecting).written, classified(numbered(100)))
})

test('a result whose acknowledgement is lost is sent again, and the copy is dropped', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  let lost = 0
  cluster.onProduce = async ({ topic }) => {
    if (topic !== topics.results || lost > 0) return undefined
    lost++
    return 'lose-ack'
  }
  await running.work(new Exclaimer(), { batchRows: 5, time: new ManualTime().runs(t) })
  const [, { written, duplicates }] = await Promise.all([running.publish('j', [numbered(20)]), running.collect('j')])
  assert.deepEqual(written, classified(numbered(20)))
  assert.equal(lost, 1)
  assert.ok(duplicates >= 5, `${duplicates} rows came twice`)
  assert.ok(log('results').end >= 6, 'four results, a copy and the end of input')
})

test('a worker that dies between a result and its commit leaves every row exactly once', async t => {
  const { cluster, running, first, second } = await twoWorkers(t)
  await running.publish('j', [numbered(100)])
  const died = event()
  cluster.onCommit = async (_, offsets) => {
    if (offsets.every(({ offset }) => offset === 0)) return
    cluster.onCommit = async () => {}
    first.client.kill()
    died.now()
  }
  const dying = await first.work(
    new Exclaimer(async (_, number) => {
      if (number >= 3) await died.came
    }),
  )
  await assert.rejects(dying.ended)
  await second.work(new Exclaimer())
  const { written, duplicates, rowsByWorker } = await running.collect('j')
  assert.deepEqual(written, classified(numbered(100)))
  assert.ok(duplicates > 0, 'rows sent but not committed are classified again')
  assert.ok(rowsByWorker.get('first')! > 0, 'results that the dead worker had sent count')
})

test('nothing is committed before its result is acknowledged', async t => {
  const { cluster, running, topics } = await fakePipeline(t, { partitions: 2, blockRows: 5 })
  const time = new ManualTime()
  const release = event()
  const acked = [0, 0]
  cluster.onProduce = async ({ topic, partition }) => {
    if (topic === topics.results && partition === 0) await release.came
    if (topic === topics.results) acked[partition]!++
    return undefined
  }
  const committed = [0, 0]
  cluster.onCommit = async (_, offsets) => {
    for (const { topic, partition, offset } of offsets) if (topic === topics.rows) committed[partition] = offset
  }
  await running.publish('j', [numbered(100)])
  await running.work(new Exclaimer(), { batchRows: 5, time })
  while (committed[1] !== 11) await time.pass(250)
  assert.deepEqual([acked[0], committed[0]], [0, 0])
  release.now()
  while (committed[0] !== 11) await time.pass(250)
  assert.deepEqual((await running.collect('j')).written, classified(numbered(100)))
})

test('a worker that drains sends and commits what is in its classifier', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const [busy, go] = [event(), event()]
  const classifier = new Exclaimer(async () => {
    busy.now()
    await go.came
  })
  const worker = await running.work(classifier, { batchRows: 5 })
  await running.publish('j', [numbered(100)])
  await busy.came
  const drained = worker.drain()
  go.now()
  await drained
  const classifiedRows = classifier.batches.length * 5
  assert.ok(classifiedRows < 100)
  assert.equal(log('results').end, classifier.batches.length)
  assert.equal(cluster.groups.get('p.workers')!.committed.get(`${topics.rows}/0`)?.offset, classifier.batches.length)
})

test('a leader that moves while rows flow costs none', async t => {
  const { running, log } = await fakePipeline(t, LAYOUT)
  await running.work(new Exclaimer())
  async function* flow() {
    for (let next = 0; next < 400; next += 40) {
      yield numbered(40, next)
      for (const topic of ['rows', 'results', 'jobs'] as const) log(topic).leader ^= 1
      await turn()
    }
  }
  const [, { written, duplicates }] = await Promise.all([running.publish('j', flow()), running.collect('j')])
  assert.deepEqual(written, classified(numbered(400)))
  assert.equal(duplicates, 0)
})

test('a compacted tail, aborted transactions and a broken batch delay no row and no commit', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const time = new ManualTime()
  const said: string[] = []
  const junk = { key: Buffer.from('x'), value: Buffer.from('of nobody') }
  const rows = log('rows')
  rows.appendBroken(3, 'its checksum is wrong')
  const transaction = { state: 'open' as const }
  rows.append([junk], transaction)
  rows.finish(transaction, 'aborted')
  await running.publish('j', [numbered(20)])
  rows.append([junk, junk])
  rows.compact(({ value, unreadable }) => unreadable !== undefined || !value!.equals(junk.value))
  await running.work(new Exclaimer(), { batchRows: 5, time, say: text => said.push(text) })
  assert.deepEqual((await running.collect('j')).written, classified(numbered(20)))
  const committed = () => cluster.groups.get('p.workers')!.committed.get(`${topics.rows}/0`)?.offset
  while (committed() !== rows.end) await time.pass(250)
  assert.equal(said.filter(text => /cannot be read: its checksum is wrong/.test(text)).length, 1)
  assert.equal(log('rejects').end, 1)
})

test('rows being read whenever workers were killed are read apart, and then classified', async t => {
  const { cluster, running, topics, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const metadata = JSON.stringify({ handed: 3, reads: { 0: 3, 1: 2, 3: 1 } })
  cluster.group('p.workers', [topics.rows]).committed.set(`${topics.rows}/0`, { offset: 0, metadata })
  await running.publish('j', [numbered(20)])
  await running.work(new Exclaimer(), { batchRows: 5 })
  assert.deepEqual((await running.collect('j')).written, classified(numbered(20)))
  assert.equal(log('rejects').end, 0)
})

test('an open transaction delays the rows after it until it ends', async t => {
  const { running, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const classifier = new Exclaimer()
  await running.work(classifier)
  const transaction = { state: 'open' as const }
  log('rows').append([{ key: Buffer.from('x'), value: Buffer.from('of nobody') }], transaction)
  await running.publish('j', [numbered(20)])
  const collecting = running.collect('j')
  for (let i = 0; i < 20; i++) await turn()
  assert.equal(classifier.batches.length, 0)
  log('rows').finish(transaction, 'aborted')
  assert.deepEqual((await collecting).written, classified(numbered(20)))
})

test('results deleted by retention before they were read are a ROW_GAP, which names the row', async t => {
  const { running, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  await running.work(new Exclaimer(), { batchRows: 5 })
  await running.publish('j', [numbered(20)])
  while (log('results').end < 5) await turn()
  log('results').truncate(2)
  await assert.rejects(running.collect('j'), { code: 'ROW_GAP', message: /job j/ })
})

test('rows deleted by retention before a worker read them are a ROW_GAP', async t => {
  const { running, log } = await fakePipeline(t, { partitions: 1, blockRows: 5 })
  const said: string[] = []
  await running.publish('j', [numbered(20)])
  log('rows').truncate(2)
  await running.work(new Exclaimer(), { batchRows: 5, say: text => said.push(text) })
  await assert.rejects(running.collect('j', { lookEveryMs: 5 }), { code: 'ROW_GAP' })
  assert.equal(said.filter(text => /p\.rows\[0\]: offsets 0 to 1/.test(text)).length, 1)
})

/** The answer of a broker for a partition with a batch that is damaged on its disk. */
const DAMAGED = Object.assign(new Error('The server experienced an unexpected error'), { type: 'UNKNOWN' })

test('a worker classifies all partitions except one that the broker cannot read, and that one later', async t => {
  const { cluster, running, log } = await fakePipeline(t, LAYOUT)
  const { kafka } = cluster.client({ brokerTimeoutMs: 5000 })
  await running.publish('j', [numbered(200)])
  log('rows', 1).fault = DAMAGED
  const time = new ManualTime().runs(t)
  const said: string[] = []
  const named = event()
  const say = (message: string) => {
    said.push(message)
    if (/cannot read/.test(message)) named.now()
  }
  const { ended } = await running.work(new Exclaimer(), { kafka, time, say })
  const stops = ended.then(() => 'ended')
  await named.came
  while (![0, 2, 3].every(partition => log('results', partition).end > 0)) await turn()
  await time.sleep(20_000)
  assert.equal(await Promise.race([stops, Promise.resolve('works')]), 'works')
  log('rows', 1).fault = null
  assert.deepEqual((await running.collect('j')).written, classified(numbered(200)))
  assert.match(
    said.join('\n'),
    /^p\.rows\[1\]: the broker cannot read from offset 0 on: .*\np\.rows\[1\]: the broker can/,
  )
})

test('a collector ends if the broker cannot read a partition of its results, and names it', async t => {
  const { cluster, running, log } = await fakePipeline(t, LAYOUT)
  await running.work(new Exclaimer())
  await running.publish('j', [numbered(100)])
  await running.collect('j')
  log('results', 2).fault = DAMAGED
  const { kafka } = cluster.client({ brokerTimeoutMs: 1 })
  const collecting = new RunningPipeline(t, { ...running, kafka }).collect('j')
  await assert.rejects(collecting, { code: 'PARTITION_UNREADABLE', exitCode: 3, message: /^p\.results\[2\]: / })
})
