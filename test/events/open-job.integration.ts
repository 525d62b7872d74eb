import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { rowsInPartition } from '../../src/core/sequence.ts'
import { type EventJob, type EventRow, type OpenJobOptions, openJob, RowmillError } from '../../src/index.ts'
import type { Kafka } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job, Values } from '../../src/model.ts'
import { appendJob, failJob } from '../../src/pipeline/append-job.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { testFolder } from '../helpers/cli.ts'
import { checkRows, countRows, type SafeRow } from '../helpers/counted-rows.ts'
import { freePort } from '../helpers/free-port.ts'
import { deleteBefore } from '../helpers/kafka-tools.ts'
import { jobRecord, readTopic } from '../helpers/pipeline.ts'

const PARTITIONS = 3
const silent = () => {}

interface Place {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly sender: PartitionSender
  open(more?: Partial<OpenJobOptions>): Promise<EventJob>
  /** The state of the job, and its job record, as of now. */
  read(): Promise<{ counted: ReturnType<typeof countRows>; job: Job }>
  log(): Promise<JobLog>
}

async function place(t: TestContext): Promise<Place> {
  const open: { close(): Promise<void> }[] = []
  t.after(() => Promise.all(open.map(each => each.close()))) // before the topics are deleted: hooks run in this order
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, PARTITIONS)
  const [kafka, brokers] = [await testKafka(), [await brokerAddress()]]
  const sender = new PartitionSender(await kafka.producer(), silent)
  open.push(sender)
  const log = async () => {
    const jobs = await JobLog.open(kafka, pipeline, silent)
    open.push(jobs)
    return jobs
  }
  return {
    ...{ kafka, pipeline, sender, log },
    async open(more = {}) {
      const job = await openJob({ brokers, pipeline, id: 'j', columns: ['ID', 'TEXT'], ...more })
      open.push(job)
      return job
    },
    async read() {
      const records = await readTopic(kafka, topicsOf(pipeline).rows, PARTITIONS)
      return { counted: countRows(records, 'j'), job: (await (await log()).latest('j'))! }
    },
  }
}

async function sendAll(job: EventJob, rows: readonly Values[]): Promise<SafeRow[]> {
  const seqs = await Promise.all(rows.map(row => job.send(row)))
  return seqs.map((seq, i) => ({ producer: 'p', seq, values: rows[i]! }))
}

const numbered = (count: number, what = 'row'): Values[] =>
  Array.from({ length: count }, (_, i) => [`${what} ${i}`, `text ${i}`])

test('rows get seqs in call order and resolve when safe; the end is in every partition and in jobs', async t => {
  const { open, read } = await place(t)
  const job = await open({ maxRejects: '5', toCsv: { sep: ';' }, cast: { SCORE: 'float64' } })
  assert.equal(job.seq, 0)
  const safe = await sendAll(job, numbered(200))
  assert.deepEqual(
    safe.map(({ seq }) => seq),
    Array.from({ length: 200 }, (_, seq) => seq),
  )
  assert.equal(await job.send({ TEXT: true, ID: 17 }), 200)
  assert.equal(job.seq, 201)
  await Promise.all([job.end(), job.end()])
  await assert.rejects(job.send(['late', '']), { code: 'USAGE', message: /after end/ })
  const { counted, job: record } = await read()
  assert.equal(checkRows(counted, [...safe, { producer: 'p', seq: 200, values: ['17', 'true'] }]), 201)
  assert.deepEqual(
    counted.ends.map((end, partition) => [end?.rows, end?.total, end?.epoch, end?.from, end?.partition === partition]),
    Array.from({ length: PARTITIONS }, (_, at) => [
      rowsInPartition(at, 201, { partitions: 3, blockRows: 1 }),
      201,
      0,
      0,
      true,
    ]),
  )
  const { state, total, columns, sequenced, bounded, partitions, blockRows, indexKind, options } = record
  assert.deepEqual(
    { state, total, columns, sequenced, bounded, partitions, blockRows, indexKind },
    {
      state: 'ended',
      total: 201,
      columns: ['ID', 'TEXT'],
      sequenced: true,
      bounded: false,
      partitions: PARTITIONS,
      blockRows: 1,
      indexKind: 'text',
    },
  )
  assert.deepEqual(options.slice(0, -1), [
    { name: 'readCsv', value: '{"engine":"python","index_col":0,"dtype":"str"}' },
    { name: 'toCsv', value: '{"header":false,"sep":";"}' },
    { name: 'cast', value: '[["SCORE","float64"]]' },
    { name: 'maxRejects', value: '5' },
  ])
  assert.equal(options.at(-1)!.name, 'quotesCarriageReturn')
})

test('a row that is refused uses up no seq', async t => {
  const { open, read } = await place(t)
  const job = await open()
  assert.equal(await job.send(['a', 'b']), 0)
  await assert.rejects(job.send({ ID: 1 } as EventRow), { code: 'ROW_REFUSED', facts: { job: 'j', column: 'TEXT' } })
  await assert.rejects(job.send({ ID: 1, TEXT: undefined } as unknown as EventRow), { code: 'ROW_REFUSED' })
  assert.equal(await job.send(['c', 'd']), 1)
  assert.equal(checkRows((await read()).counted, []), 2)
})

test('a producer that closes and returns resumes after its last row, in a new epoch', async t => {
  const { open, read } = await place(t)
  const safe: SafeRow[] = []
  for (let time = 0; time < 3; time++) {
    const job = await open()
    assert.equal(job.seq, time * 50)
    safe.push(...(await sendAll(job, numbered(50, `time ${time}`))))
    await Promise.all([job.close(), job.close()])
    await assert.rejects(job.send(['late', '']), { code: 'USAGE', message: /after close/ })
  }
  const { counted, job } = await read()
  assert.equal(checkRows(counted, safe), 150)
  assert.deepEqual([counted.epoch, job.epoch, job.state], [2, 2, 'open'])
})

test('close waits for rows already sent', async t => {
  const { open, read } = await place(t)
  const safe: number[] = []
  {
    await using job = await open()
    for (const row of numbered(500)) void job.send(row).then(seq => safe.push(seq))
  }
  assert.equal(safe.length, 500)
  assert.equal(checkRows((await read()).counted, []), 500)
})

test('the newer of two producers takes over; all calls of the older reject, naming the newer', async t => {
  const { open, read } = await place(t)
  const older = await open()
  const safe = await sendAll(older, numbered(100, 'older'))
  const tail = numbered(300, 'tail').map(row => older.send(row))
  const newer = await open()
  const settled = await Promise.allSettled(tail)
  settled.forEach((result, i) => {
    if (result.status === 'fulfilled')
      safe.push({ producer: 'older', seq: result.value, values: [`tail ${i}`, `text ${i}`] })
  })
  const fenced = { code: 'PRODUCER_FENCED', message: /taken over by \S+\/\d+\/[0-9a-f]+/, facts: /./ }
  await assert.rejects(older.send(['late', '']), { code: fenced.code, message: fenced.message })
  await assert.rejects(older.end(), { code: fenced.code })
  await older.close()
  safe.push(...(await sendAll(newer, numbered(100, 'newer'))))
  await newer.end()
  const { counted, job } = await read()
  assert.equal(checkRows(counted, safe), job.total)
  assert.equal(job.state, 'ended')
})

test('of producers that open at the same moment one has the job, and the others get PRODUCER_FENCED', async t => {
  const { open, read } = await place(t)
  const opened = await Promise.allSettled(Array.from({ length: 4 }, () => open()))
  const jobs = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const refused = opened.flatMap(result => (result.status === 'rejected' ? [result.reason.code] : []))
  const sent = await Promise.allSettled(jobs.map((job, i) => job.send([`${i}`, ''])))
  for (const result of sent) if (result.status === 'rejected') refused.push(result.reason.code)
  const safe = sent.flatMap((result, i) =>
    result.status === 'fulfilled' ? [{ producer: `${i}`, seq: result.value, values: [`${i}`, ''] }] : [],
  )
  assert.deepEqual(refused, Array(opened.length - safe.length).fill('PRODUCER_FENCED'))
  assert.ok(safe.length >= 1, 'somebody has it')
  checkRows((await read()).counted, safe)
})

test('a different job with that id is refused, naming what differs', async t => {
  const { open, sender, pipeline, kafka } = await place(t)
  const { rows: topic } = topicsOf(pipeline)
  const layout = { partitions: PARTITIONS, topic, rowsFrom: [0, 0, 0], resultsFrom: [0, 0, 0] }
  await appendJob(sender, pipeline, jobRecord({ id: 'csv', ...layout }))
  await appendJob(sender, pipeline, jobRecord({ id: 'lines', ...layout, bounded: false, sequenced: false }))
  const first = await open()
  await first.close()
  const refused = (more: Partial<OpenJobOptions>, message: RegExp) =>
    assert.rejects(open(more), { code: 'JOB_EXISTS', message })
  await refused({ id: 'csv', columns: ['ID'] }, /job csv exists already .*with the rows of a file/)
  await refused({ id: 'lines', columns: ['ID'] }, /job lines exists already .*without sequence/)
  await refused({ columns: ['TEXT', 'ID'] }, /other columns: \["ID","TEXT"\], and these are \["TEXT","ID"\]/)
  await refused({ maxRejects: '3', indexKind: 'float' }, /maxRejects was 100%, now 3; indexKind was text, now float/)
  const again = await open()
  await again.end()
  await refused({}, /has ended with 0 rows/)
  const records = await readTopic(kafka, topic, PARTITIONS)
  const barriers = records.flat().filter(({ kind, value }) => kind === 'rows' && value.count === 0)
  assert.equal(barriers.length, PARTITIONS, 'none of them put a barrier anywhere')
})

test('a job that failed rejects send with its failure, and openJob too', async t => {
  const { open, sender, pipeline, read } = await place(t)
  const job = await open()
  await job.send(['a', 'b'])
  const error = new RowmillError('CLASSIFIER_FAILED', 'no')
  await failJob(sender, pipeline, (await read()).job, { error, place: null, by: 'a worker' })
  await assert.rejects(job.send(['c', 'd']), { code: 'CLASSIFIER_FAILED', message: /no/ })
  await assert.rejects(open(), { code: 'CLASSIFIER_FAILED', message: /no/ })
})

test('a job that ends between the look and the claim is refused', async t => {
  const { sender, pipeline, open, log } = await place(t)
  const first = await open()
  const jobs = await log()
  const before = (await jobs.latest('j'))!
  await first.end()
  await appendJob(sender, pipeline, { ...before, epoch: 1, by: 'one that looked before' })
  await assert.rejects(open(), { code: 'JOB_EXISTS', message: /has ended/ })
  assert.deepEqual([(await jobs.latest('j'))!.state, (await jobs.latest('j'))!.epoch], ['ended', 0])
})

test('an end does not count after a newer producer, and its caller is told', async t => {
  const { open, read } = await place(t)
  const older = await open()
  await older.send(['a', ''])
  const [ended, newer] = await Promise.all([
    older.end().then(
      () => 'ended',
      error => error.code,
    ),
    open().catch(error => error.code),
  ])
  const { job } = await read()
  if (ended === 'ended') assert.deepEqual([newer, job.state], ['JOB_EXISTS', 'ended'])
  else {
    assert.deepEqual([ended, job.state], ['PRODUCER_FENCED', 'open'])
    assert.equal(await newer.send(['b', '']), 1)
  }
})

test('a takeover reads from the last takeover point, and needs nothing before it', async t => {
  const { open, kafka, pipeline } = await place(t)
  const { rows: topic } = topicsOf(pipeline)
  const first = await open()
  await sendAll(first, numbered(100))
  await first.close()
  const all = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition, offset: -1 }))
  await deleteBefore(kafka.settings.brokers.join(), all)
  const second = await open()
  assert.equal(second.seq, 100, 'a producer that closed says so in jobs')
  await sendAll(second, numbered(100))
  const third = await open() // the second never closed; its rows are after its own takeover point
  assert.equal(third.seq, 200)
  await sendAll(third, numbered(1))
  await deleteBefore(kafka.settings.brokers.join(), all)
  await assert.rejects(open(), { code: 'ROW_GAP', message: /rows from 200 on.*retention/ })
})

test('every 100,000 rows a takeover point says where the rows above it begin', async t => {
  const { open, log, kafka, pipeline } = await place(t)
  const [job, jobs] = [await open(), await log()]
  let last = Promise.resolve(0)
  for (let row = 0; row < 100_500; row++) last = job.send([row, ''])
  await last
  const isMarked = () => jobs.epochsOf('j')!.takeoverPoint.from > 0
  await jobs.until('j', isMarked, new AbortController().signal)
  const { from, rowsFrom, closed, epoch } = jobs.epochsOf('j')!.takeoverPoint
  assert.deepEqual([closed, epoch, from >= 100_000], [false, 0, true])
  const records = await readTopic(kafka, topicsOf(pipeline).rows, PARTITIONS)
  records.forEach((here, partition) => {
    const above = here.slice(0, rowsFrom[partition]).filter(({ kind, value }) => kind === 'rows' && value.seq! >= from)
    assert.equal(above.length, 0, 'none is below the offsets')
  })
  const next = await open()
  assert.equal(next.seq, 100_500)
})

test('messages in the topic that are no rows of a producer are skipped', async t => {
  const { open, sender, pipeline } = await place(t)
  const first = await open()
  await sendAll(first, numbered(10))
  const to = { topic: topicsOf(pipeline).rows, partition: 0 }
  const rows = { job: 'j', epoch: 0, from: 0, seq: 10, count: 1, line: null, lineSteps: null, rows: [['a', 'b']] }
  for (const value of [Buffer.from('hello'), Buffer.alloc(0), encodeRows(rows)])
    await sender.send(to, { key: 'j', value })
  assert.equal((await open()).seq, 10)
})

test('bad options are refused by name', async t => {
  const { open } = await place(t)
  const refused = (more: object, message: RegExp) => assert.rejects(open(more), { code: 'USAGE', message })
  await refused({ brokers: [] }, /brokers/)
  await refused({ id: 'a b' }, /job id "a b"/)
  await refused({ pipeline: '-' }, /pipeline/)
  await refused({ columns: [] }, /columns/)
  await refused({ indexKind: 'date' }, /indexKind "date".*integer, range/)
  await refused({ maxRejects: 'many' }, /maxRejects "many"/)
  await refused({ readCsv: { nrows: 3 } }, /readCsv.*nrows=3 cannot be used/)
  await refused({ toCsv: { mode: 'r' } }, /mode/)
  await refused({ cast: { A: 3 } }, /cast/)
  await refused({ brokerTimeout: 0 }, /brokerTimeout/)
})

test('the signal ends every wait with its reason', async t => {
  const { open } = await place(t)
  const stop = new AbortController()
  const job = await open({ signal: stop.signal })
  await job.send(['a', ''])
  const open2 = Array.from({ length: 50 }, () => job.send(['b', '']))
  const all = Promise.allSettled(open2)
  stop.abort(new Error('enough'))
  for (const result of await all) if (result.status === 'rejected') assert.match(result.reason.message, /enough/)
  await assert.rejects(job.send(['c', '']), /enough/)
  await assert.rejects(job.end(), /enough/)
  await job.close()
  await assert.rejects(open({ signal: AbortSignal.abort(new Error('too early')) }), /too early/)
})

test('an outage is logged once and waited for, then all rows are safe; a long one ends the producer', async t => {
  const dataDir = join(testFolder(t), 'data')
  const port = await freePort()
  let broker = await startLocalBroker({ dataDir, port })
  t.after(() => broker.kill())
  const said: string[] = []
  const job = await openJob({
    ...{ brokers: [broker.address], id: 'j', columns: ['A'], brokerTimeout: 60 },
    say: message => said.push(message),
  })
  assert.equal(await job.send(['a']), 0)
  await broker.kill()
  const open = ['b', 'c', 'd'].map(value => job.send([value]))
  while (said.length === 0) await sleep(50) // there is no other sign
  broker = await startLocalBroker({ dataDir, port })
  assert.deepEqual(await Promise.all(open), [1, 2, 3])
  // Whether its sender or its reader of `jobs` notices depends on the length of the outage.
  const outages = said.filter(message => message.startsWith('cannot')).map(message => message.split(':')[0])
  assert.deepEqual([...new Set(outages)], outages, said.join('\n'))
  await job.close()
  const impatient = await openJob({ brokers: [broker.address], id: 'j', columns: ['A'], brokerTimeout: 1 })
  assert.equal(impatient.seq, 4)
  await broker.kill()
  await assert.rejects(impatient.send(['e']), { code: 'BROKER_UNREACHABLE' })
  await assert.rejects(impatient.send(['f']), { code: 'BROKER_UNREACHABLE' })
  await impatient.close()
})

test('options at which the rows would fail are refused before the id is used', async t => {
  const stream = await place(t)
  const refused = (more: object, message: RegExp) =>
    assert.rejects(stream.open(more as Partial<OpenJobOptions>), { code: 'USAGE', message })
  await refused({ readCsv: { index_col: 7 } }, /index_col=7 cannot be used: the header has no such column. It has /)
  await refused({ readCsv: { usecols: ['Z'] } }, /usecols="Z" cannot be used: the header has no such column/)
  await refused({ readCsv: null }, /readCsv null: it must be an object/)
  await refused({ cast: 'A=float64' }, /cast .*: it must be an object/)
  await refused({ id: 5 }, /id 5: give the id/)
  await refused({ columns: ['\ud800'] }, /give the names of the columns/)
})
