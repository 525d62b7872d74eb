/** What others may write into the topic of rows by mistake or by design: only their own messages suffer. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import kafkajs from 'kafkajs'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job, Reject, Result } from '../../src/model.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { encodeJob } from '../../src/wire/codec.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { jobRecord, readTopic } from '../helpers/pipeline.ts'
import { descendants } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const PARTITIONS = 8
/** The memory limit of `work`, for its own process and for each worker. */
const MOST_BYTES = 400 * 1024 * 1024

/** A job record as `jobs open` writes it. */
const EVENTS = jobRecord({
  id: 'events',
  columns: ['ID', 'TEXT'],
  sequenced: false,
  bounded: false,
  partitions: PARTITIONS,
  topic: '',
  rowsFrom: Array(PARTITIONS).fill(0),
  resultsFrom: Array(PARTITIONS).fill(0),
})

interface Place {
  readonly pipeline: string
  readonly brokers: string
}

async function sharedPlace(t: TestContext): Promise<Place> {
  return { pipeline: (await testPipeline(t)).pipeline, brokers: await brokerAddress() }
}

/** A pipeline with the open job `events`, and a worker on request. */
async function openEvents(t: TestContext, { pipeline, brokers }: Place) {
  const topics = topicsOf(pipeline)
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const opened = await rowmill(['jobs', 'open', '--job', 'events', '--columns', 'ID,TEXT'], { env })
  assert.equal(opened.code, 0, opened.stderr)
  const kafka = new Kafka({ brokers: [brokers], clientId: 'test' })
  const admin = await kafka.admin()
  t.after(() => admin.close())
  return {
    ...{ ...topics, brokers, admin },
    group: workersGroup(pipeline),
    work(more: Readonly<Record<string, string>> = {}) {
      const args = ['work', '--classifier', CLASSIFIER, '--workers', '1']
      const { child, finished } = startRowmill(args, { env: { ...env, ...more } })
      t.after(() => child.kill('SIGKILL'))
      return {
        child,
        /** Its output, after it has drained. */
        stop(): Promise<Finished> {
          child.kill('SIGTERM')
          return finished
        },
      }
    },
    /** The ids of the rows that have a result. Unreadable messages in the topic of results are skipped. */
    async ids(count: number): Promise<string[]> {
      let ids: string[] = []
      await until(`${count} results`, async () => {
        // A row that a killed worker had not committed has a second copy. Its place shows that it is a copy.
        const byPlace = (await readTopic(kafka, topics.results, PARTITIONS, { skipJunk: true })).map(records => {
          const results = records.map(({ value }) => value as Result)
          return new Map(results.flatMap(({ first, rows }) => rows.map((row, i) => [first + i, String(row[0])])))
        })
        ids = byPlace.flatMap(rows => [...rows.values()])
        return ids.length >= count
      })
      return ids.sort()
    },
    async rejects(count: number): Promise<Reject[]> {
      let found: Reject[] = []
      await until(`${count} rejects`, async () => {
        found = (await readTopic(kafka, topics.rejects, 1)).flat().map(({ value }) => value as Reject)
        return found.length >= count
      })
      return found
    },
  }
}

/** The peak memory of each process below, by its name and pid. */
function peaks(pid: number): Map<string, number> {
  const below = [pid, ...descendants(pid).map(({ pid }) => pid)]
  return new Map(
    below.map(each => {
      const status = readFileSync(`/proc/${each}/status`, 'utf8')
      return [`${each}`, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024]
    }),
  )
}

function assertSmall(pid: number): void {
  for (const [name, bytes] of peaks(pid)) assert.ok(bytes < MOST_BYTES, `process ${name} has had ${bytes} bytes`)
}

/** Runs Python with a producer `p`, whose settings are `more`; `row(id)` is a row of the job `events`. */
async function produce(brokers: string, more: Readonly<Record<string, unknown>>, body: string): Promise<string> {
  const program = `
import json, sys
from confluent_kafka import Producer
more = json.loads(sys.argv[2])
p = Producer({"bootstrap.servers": sys.argv[1], "linger.ms": 300, **more})
row = lambda id: json.dumps({"job": "events", "values": [str(id), "text"]})
${body}
sys.exit(p.flush(100))`
  const { code, stdout, stderr } = await startProgram(python, ['-c', program, brokers, JSON.stringify(more)]).finished
  assert.equal(code, 0, stderr)
  return stdout
}

const plainRows = (topic: string, label: string) =>
  `for n in range(${PARTITIONS}): p.produce("${topic}", row(f"${label}-{n}"), partition=n)`
const plainIds = (...labels: string[]) =>
  labels.flatMap(label => Array.from({ length: PARTITIONS }, (_, n) => `${label}-${n}`)).sort()

for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
  test(`a small ${codec} batch that unpacks to too much is a reject, and all other rows come out`, async t => {
    const { brokers, rows, work, ids, rejects } = await openEvents(t, await sharedPlace(t))
    const { child, stop } = work()
    const large = {
      'compression.type': codec,
      'message.max.bytes': 100_000_000,
      'batch.size': 100_000_000,
      'linger.ms': 5000,
    }
    const blanks = `for _ in range(3): p.produce("${rows}", b" " * 15_000_000, partition=3)\np.flush(100)`
    await produce(brokers, large, `${plainRows(rows, 'before')}\np.flush(100)\n${blanks}\n${plainRows(rows, 'after')}`)
    assert.deepEqual(await ids(2 * PARTITIONS), plainIds('before', 'after'))
    const [reject] = await rejects(1)
    assert.deepEqual([reject!.reason, reject!.topic, reject!.partition, reject!.offset], ['UNREADABLE', rows, 3, 1])
    assert.match(reject!.detail, /offsets 1 to 3 \(3 messages\) cannot be read: it unpacks to more than 16 MB/)
    assertSmall(child.pid!)
    const { code, stderr } = await stop()
    assert.equal(code, 0, stderr)
    assert.match(stderr, /\.rows\[3\]: the batch at offsets 1 to 3 \(3 messages\) cannot be read/)
    assert.doesNotMatch(stderr, /starting it again/)
  })
}

test('a batch damaged on the disk of the broker is a reject, and all other rows come out', async t => {
  const data = join(testFolder(t), 'data')
  const broker = await startLocalBroker({ dataDir: data })
  t.after(() => broker.close())
  const place = { pipeline: 'damaged', brokers: broker.address }
  const { rows, work, ids, rejects } = await openEvents(t, place)
  const batch = (label: string) => `for n in range(200): p.produce("${rows}", row(f"${label}-{n}"), partition=0)`
  await produce(broker.address, {}, `${batch('a')}\np.flush(9)\n${batch('b')}\np.flush(9)\n${batch('c')}`)
  const log = readdirSync(data, { recursive: true, encoding: 'utf8' }).find(path =>
    path.endsWith(join(`${rows}-0`, '00000000000000000000.log')),
  )
  const path = join(data, log!)
  const bytes = readFileSync(path)
  const second = 12 + bytes.readInt32BE(8)
  bytes[second + 500]! ^= 1
  writeFileSync(path, bytes)
  work()
  const kept = ['a', 'c'].flatMap(label => Array.from({ length: 200 }, (_, n) => `${label}-${n}`))
  assert.deepEqual(await ids(400), kept.sort())
  const [reject] = await rejects(1)
  assert.deepEqual([reject!.reason, reject!.partition, reject!.offset], ['UNREADABLE', 0, 200])
  assert.match(reject!.detail, /its checksum is wrong/)
})

test('costly JSON becomes rejects, unparsed if it is too large, and all other rows come out', async t => {
  const { brokers, rows, work, ids, rejects } = await openEvents(t, await sharedPlace(t))
  const { child, stop } = work()
  const bomb = (size: number) => `'{"job":"events","values":[' + "1," * ${size / 2} + "1]}"`
  const deep = `'{"job":"events","values":[' + "[" * 400000 + "]" * 400000 + "]}"`
  await produce(
    brokers,
    { 'message.max.bytes': 16_000_000 },
    [
      plainRows(rows, 'before'),
      `p.produce("${rows}", ${bomb(15_000_000)}, partition=1)`,
      `p.produce("${rows}", ${bomb(15_000_000)}, partition=2)`,
      `for _ in range(20): p.produce("${rows}", ${bomb(1_000_000)}, partition=4)`,
      `p.produce("${rows}", ${deep}, partition=5)`,
      'p.flush(100)',
      plainRows(rows, 'after'),
    ].join('\n'),
  )
  assert.deepEqual(
    (await ids(2 * PARTITIONS)).filter(id => id !== ''),
    plainIds('before', 'after'),
  )
  const found = await rejects(23)
  const told = found.map(({ partition, reason, detail }) => `${partition} ${reason} ${detail}`).sort()
  assert.match(told[0]!, /^1 MALFORMED .*15000029 bytes, and a row in JSON may have 1048576/)
  assert.match(told[1]!, /^2 MALFORMED .*15000029 bytes/)
  for (const each of told.slice(2, 22))
    assert.match(each, /^4 ROW_MALFORMED the row has 500001 commas between values, the job 2 columns/)
  assert.match(told[22]!, /^5 MALFORMED .*nested 400002 deep/)
  assertSmall(child.pid!)
  const { code, stderr } = await stop()
  assert.equal(code, 0, stderr)
  assert.doesNotMatch(stderr, /lost its group|starting it again/)
})

test('a message that ends every process that reads it is skipped the third time', async t => {
  const { brokers, rows, work, ids, rejects } = await openEvents(t, await sharedPlace(t))
  const { stop } = work({ ROWMILL_CRASH: 'message-taken=deadly' })
  const deadly = `p.produce("${rows}", json.dumps({"job": "events", "values": ["deadly", "x" * 600_000]}), partition=3)`
  await produce(
    brokers,
    {},
    `${plainRows(rows, 'before')}\np.flush(9)\n${deadly}\np.flush(9)\n${plainRows(rows, 'after')}`,
  )
  assert.deepEqual(await ids(2 * PARTITIONS), plainIds('before', 'after'))
  const [reject, ...others] = await rejects(1)
  assert.deepEqual([reject!.reason, reject!.topic, reject!.partition, reject!.offset], ['POISON', rows, 3, 1])
  assert.match(reject!.detail, /two workers ended or hung while they read this message/)
  assert.deepEqual(others, [])
  const { stderr } = await stop()
  assert.equal(stderr.match(/starting it again/g)!.length, 2, stderr)
})

const TRANSACTIONS = (rows: string) => `
def begin(name):
    t = Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "${rows}-" + name, "linger.ms": 0})
    t.init_transactions()
    t.begin_transaction()
    return t
def send(t, label, partitions):
    for n in partitions: t.produce("${rows}", row(f"{label}-{n}"), partition=n)
    t.flush()
a, b, c = begin("a"), begin("b"), begin("c")
send(a, "aborted", range(8)); send(b, "aborted", range(8)); send(c, "committed", range(8))
send(p, "plain", range(8)); send(a, "aborted", range(8))
a.abort_transaction()
send(b, "aborted", range(8))
a.begin_transaction(); send(a, "again", range(8)); a.commit_transaction()
b.abort_transaction(); c.commit_transaction()
o = begin("open"); send(o, "open", [6]); send(p, "behind", range(8))
sys.stdout.write("open\\n"); sys.stdout.flush(); sys.stdin.readline()
o.commit_transaction()
`

test('only rows of committed transactions come out; an open one delays only its partition', async t => {
  const { brokers, rows, work, ids, admin, group } = await openEvents(t, await sharedPlace(t))
  work()
  const program = `
import json, sys
from confluent_kafka import Producer
p = Producer({"bootstrap.servers": sys.argv[1]})
row = lambda id: json.dumps({"job": "events", "values": [str(id), "text"]})
${TRANSACTIONS(rows)}`
  const { child, finished } = startProgram(python, ['-c', program, brokers], { inputStays: true })
  await new Promise(resolve => child.stdout.once('data', resolve))
  const held = ['behind-6', 'open-6']
  const all = [...plainIds('committed', 'plain', 'again', 'behind'), 'open-6'].sort()
  assert.deepEqual(
    await ids(all.length - held.length),
    all.filter(id => !held.includes(id)),
  )
  child.stdin.end('\n')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
  assert.deepEqual(await ids(all.length), all)
  await until('everything is committed, the markers too', async () => (await admin.lag(group, rows)) === 0)
})

test('finished transactions in the topic of jobs block no command; an open one is waited for', async t => {
  const place = await sharedPlace(t)
  const { brokers, jobs } = await openEvents(t, place)
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: place.pipeline }
  const open = (job: string) => startRowmill(['jobs', 'open', '--job', job, '--columns', 'A'], { env })
  for (const end of ['commit_transaction', 'abort_transaction']) {
    const body = `
t = Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "${jobs}-${end}"})
t.init_transactions(); t.begin_transaction(); t.produce("${jobs}", "junk"); t.flush(); t.${end}()`
    await produce(brokers, {}, body)
    const listed = await rowmill(['jobs', 'list', '--timeout', '60'], { env })
    assert.equal(listed.code, 0, listed.stderr)
    assert.match(listed.stdout, /events/)
  }
  const program = `
import sys
from confluent_kafka import Producer
t = Producer({"bootstrap.servers": sys.argv[1], "transactional.id": "${jobs}-open"})
t.init_transactions(); t.begin_transaction(); t.produce("${jobs}", "junk"); t.flush()
sys.stdout.write("open\\n"); sys.stdout.flush(); sys.stdin.readline()
t.abort_transaction()`
  const { child, finished } = startProgram(python, ['-c', program, brokers], { inputStays: true })
  await new Promise(resolve => child.stdout.once('data', resolve))
  const [waiting, stopped] = [open('late'), open('stopped')]
  const said = new Promise<void>(resolve => {
    stopped.child.stderr.on('data', (text: Buffer) => {
      if (/has a transaction open there/.test(String(text))) resolve()
    })
  })
  await said
  stopped.child.kill('SIGTERM')
  assert.equal((await stopped.finished).code, 143)
  const out = join(testFolder(t), 'out.csv')
  for (const [args, sign, code] of [
    [['collect', out, '--job', 'events', '--follow'], /transaction open/, 143],
    [['tail', '--job', 'events'], /transaction open/, 143],
    [['work', '--classifier', CLASSIFIER, '--workers', '1'], /transaction open/, 0],
  ] as const) {
    const { child, finished } = startRowmill([...args], { env })
    t.after(() => child.kill('SIGKILL'))
    await new Promise<void>(resolve => child.stderr.on('data', text => sign.test(String(text)) && resolve()))
    child.kill('SIGTERM')
    assert.equal((await finished).code, code, args[0])
  }
  child.stdin.end('\n')
  assert.equal((await finished).code, 0)
  const opened = await waiting.finished
  assert.equal(opened.code, 0, opened.stderr)
})

/** Batches of 15 MB of zeros, packed to almost nothing: as one `key`, one `header` or the `value` of a message. */
const bombs = (topic: string, where: 'key' | 'header' | 'value', partitions: number, count: number) => `
t = Producer({"bootstrap.servers": sys.argv[1], "compression.type": "zstd", "message.max.bytes": 100_000_000,
  "batch.num.messages": 1, "linger.ms": 0, "queue.buffering.max.kbytes": 100_000, "transactional.id": "${topic}-${where}"})
t.init_transactions(); t.begin_transaction()
big = b"k" * 15_000_000
for n in range(${count}):
    for partition in range(${partitions}):
        while True:
            try:
                t.produce("${topic}", partition=partition, **{"key": {"key": big, "value": b"x"}, "header": {"headers": {"h": big}, "value": b"x"}, "value": {"value": big}}["${where}"])
                break
            except BufferError: t.poll(0.3)
t.flush(100); t.commit_transaction()`

for (const where of ['key', 'header', 'value'] as const) {
  test(`a transaction of many batches of one large ${where} leaves worker and reader small, and stops nobody`, async t => {
    const place = await sharedPlace(t)
    const { brokers, rows, jobs, results, work, ids, rejects } = await openEvents(t, place)
    const { child } = work()
    const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: place.pipeline }
    const tail = startRowmill(['tail', '--job', 'events'], { env })
    t.after(() => tail.child.kill('SIGKILL'))
    await produce(brokers, {}, plainRows(rows, 'before'))
    await ids(PARTITIONS)
    const body = [bombs(rows, where, PARTITIONS, 8), bombs(jobs, where, 1, 40), bombs(results, where, 2, 20)].join('\n')
    await produce(brokers, {}, `${body}\n${plainRows(rows, 'after')}`)
    assert.deepEqual(await ids(2 * PARTITIONS), plainIds('after', 'before'))
    await rejects(8 * PARTITIONS)
    assertSmall(child.pid!)
    assertSmall(tail.child.pid!)
  })
}

test('job records that no part could serve are ignored and logged', async t => {
  const place = await sharedPlace(t)
  const { brokers, rows, jobs, work, ids } = await openEvents(t, place)
  const sender = new PartitionSender(await new Kafka({ brokers: [brokers], clientId: 'test' }).producer(), () => {})
  t.after(() => sender.close())
  const forge = (forged: Partial<Job>) => {
    const value = encodeJob({ ...EVENTS, topic: rows, ...forged })
    return sender.send({ topic: jobs, partition: 0 }, { key: forged.id ?? EVENTS.id, value })
  }
  for (const attempt of [0, 1]) await forge({ id: 'elsewhere', topic: 'elsewhere', attempt })
  await forge({ id: 'wide', columns: Array.from({ length: 200_000 }, (_, n) => `column ${n}`) })
  await forge({ id: 'no id', attempt: 1 })
  for (let n = 0; n < 40; n++) for (const attempt of [0, 1]) await forge({ id: `again-${n}`, bounded: true, attempt })
  const { stop } = work()
  await produce(brokers, {}, plainRows(rows, 'after'))
  assert.deepEqual(await ids(PARTITIONS), plainIds('after'))
  const { code, stderr } = await stop()
  assert.equal(code, 0, stderr)
  for (const sign of [
    /\.jobs\[0\]@1: this job record is ignored: its rows would be in "elsewhere", which is no topic of this pipeline/,
    /this job record is ignored: it takes \d+ bytes, and at most 1048576 are read/,
    /this job record is ignored: its job id is "no id"/,
    /40 reopened jobs: this worker serves 2 at a time, the others wait for their turn/,
  ])
    assert.match(stderr, sign)
})

test('events that are deleted before they are read are named by the worker', async t => {
  const { brokers, rows, work, ids } = await openEvents(t, await sharedPlace(t))
  const body = `
from confluent_kafka.admin import AdminClient
from confluent_kafka import TopicPartition
for n in range(20): p.produce("${rows}", row(n), partition=6)
p.flush(100)
admin = AdminClient({"bootstrap.servers": sys.argv[1]})
for done in admin.delete_records([TopicPartition("${rows}", 6, 20)]).values(): done.result()
${plainRows(rows, 'after')}`
  await produce(brokers, {}, body)
  const { stop } = work()
  assert.deepEqual(await ids(PARTITIONS), plainIds('after'))
  const { stderr } = await stop()
  assert.match(
    stderr,
    /\.rows\[6\]: offsets 0 to 19 are gone \(retention, or kafka-delete-records\), and no commit says/,
  )
})

test('large messages in batches just below the limit, in all partitions, keep a worker small', async t => {
  const { brokers, rows, work, ids, rejects } = await openEvents(t, await sharedPlace(t))
  const { child } = work()
  const large = { 'compression.type': 'zstd', 'message.max.bytes': 100_000_000, 'batch.size': 100_000_000 }
  const blanks = `
for _ in range(2):
    for n in range(${PARTITIONS}):
        for _ in range(15): p.produce("${rows}", b" " * 1_040_000, partition=n)
    p.flush(100)`
  await produce(brokers, { ...large, 'linger.ms': 5000 }, `${blanks}\n${plainRows(rows, 'after')}`)
  assert.deepEqual(await ids(PARTITIONS), plainIds('after'))
  assert.equal((await rejects(2 * 15 * PARTITIONS)).length, 2 * 15 * PARTITIONS)
  assertSmall(child.pid!)
})

test('a result that its topic does not take is a reject, and every other row comes out', async t => {
  const { brokers, rows, results, admin, work, ids, rejects } = await openEvents(t, await sharedPlace(t))
  const narrow = `
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, AlterConfigOpType
entry = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
resource = ConfigResource(ConfigResource.Type.TOPIC, "${results}", incremental_configs=[entry])
admin = AdminClient({"bootstrap.servers": sys.argv[1]})
for future in admin.incremental_alter_configs([resource]).values(): future.result()`
  await produce(brokers, {}, narrow)
  assert.equal((await admin.topicConfigs([results])).get(results)?.get('max.message.bytes'), '1000000')
  const { child, stop } = work()
  const long = `long = ["t" * 49_990] * 20
p.produce("${rows}", json.dumps({"job": "events", "values": ["long", "".join(long)]}), partition=3)\np.flush(100)`
  await produce(brokers, { 'message.max.bytes': 16_000_000 }, `${long}\n${plainRows(rows, 'after')}`)
  assert.deepEqual(await ids(PARTITIONS), plainIds('after'))
  const [reject] = await rejects(1)
  assert.deepEqual([reject!.partition, reject!.reason], [3, 'CLASSIFIER_CONTRACT'])
  assert.match(
    reject!.detail,
    /takes \d+ bytes, and the topic of results or that of rejects takes \d+ \(max\.message\.bytes\)/,
  )
  assertSmall(child.pid!)
  assert.equal((await stop()).code, 0)
})

test('a consumer of another program cannot join the group of the workers and take their partitions', async t => {
  const { brokers, rows, group, work, ids } = await openEvents(t, await sharedPlace(t))
  const { stop } = work()
  await produce(brokers, {}, plainRows(rows, 'before'))
  await ids(PARTITIONS)
  const client = new kafkajs.Kafka({ clientId: 'foreign', brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING })
  const foreign = client.consumer({ groupId: group, retry: { retries: 0 } })
  await foreign.connect()
  t.after(() => foreign.disconnect())
  const refused = Promise.withResolvers<Error>()
  foreign.on('consumer.crash', ({ payload }) => refused.resolve(payload.error))
  await foreign.subscribe({ topics: [rows] })
  await foreign.run({ eachMessage: async () => {} })
  assert.match((await refused.promise).message, /group member's supported protocols are incompatible/)
  await produce(brokers, {}, plainRows(rows, 'after'))
  assert.deepEqual(await ids(2 * PARTITIONS), plainIds('before', 'after'))
  assert.equal((await stop()).code, 0)
})

test('twenty forged attempts beside large messages take no more memory, and stop no row', async t => {
  const { brokers, rows, jobs, work, ids } = await openEvents(t, await sharedPlace(t))
  const kafka = new Kafka({ brokers: [brokers], clientId: 'test' })
  const sender = new PartitionSender(await kafka.producer(), () => {})
  const forged = Array.from(
    { length: 20 },
    (_, n): Job => ({ ...EVENTS, id: `forged-${n}`, topic: rows, bounded: true }),
  )
  for (const job of [...forged, ...forged.map(job => ({ ...job, attempt: 1 }))])
    await sender.send({ topic: jobs, partition: 0 }, { key: job.id, value: encodeJob(job) })
  await sender.close()
  const { child, stop } = work()
  await produce(brokers, {}, plainRows(rows, 'before'))
  assert.deepEqual(await ids(PARTITIONS), plainIds('before'))
  const bombs = `
for n in range(32):
    p.produce("${rows}", b" " * 15_000_000, partition=n % 4)
    p.flush(100)`
  await produce(brokers, { 'message.max.bytes': 16_000_000 }, `${bombs}\n${plainRows(rows, 'after')}`)
  assert.deepEqual(await ids(2 * PARTITIONS), plainIds('after', 'before'))
  assertSmall(child.pid!)
  const { code, stderr } = await stop()
  assert.equal(code, 0)
  assert.match(stderr, /20 reopened jobs: this worker serves 2 at a time, the others wait for their turn/)
})
