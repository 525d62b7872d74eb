import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { resultBatches } from '../../src/events/result-batches.ts'
import { type ResultBatch, type ResultsCheckpoint, type ResultsOptions, results } from '../../src/index.ts'
import { failJob } from '../../src/pipeline/append-job.ts'
import { ResultReader } from '../../src/results/result-reader.ts'
import { brokerAddress, testKafka } from '../helpers/broker.ts'
import { cellsOf, WrittenStream } from '../helpers/written-stream.ts'

async function read(t: TestContext, stream: WrittenStream, more: Partial<ResultsOptions> = {}) {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(more.signal ? [more.signal] : [])])
  const place = { brokers: [await brokerAddress()], pipeline: stream.pipeline, job: 'j' }
  const reading = results({ ...place, ...more, signal })
  t.after(async () => {
    stop.abort(new Error('the test is over'))
    await reading.return()
  })
  return reading
}

const seqsOf = ({ rows }: ResultBatch) => rows.map(({ seq }) => seq)
const range = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i)

/** Takes batches until this many rows came. */
async function take(reading: AsyncGenerator<ResultBatch>, rows: number): Promise<ResultBatch[]> {
  const batches: ResultBatch[] = []
  for (let left = rows; left > 0; ) {
    const { value, done } = await reading.next()
    assert.ok(!done, `${left} rows are missing`)
    batches.push(value)
    left -= value.rows.length
    assert.ok(left >= 0, 'there are more rows than were written')
  }
  return batches
}

async function all(reading: AsyncGenerator<ResultBatch>): Promise<ResultBatch[]> {
  const batches: ResultBatch[] = []
  for await (const batch of reading) batches.push(batch)
  return batches
}

test('rows come in order and none twice, rejected ones with their values, until the job has ended', async t => {
  const stream = await WrittenStream.open(t)
  const reading = await read(t, stream)
  await stream.row(1)
  await stream.row(3)
  await stream.row(0)
  await stream.row(0, { rows: [['0', 'another copy']] })
  await stream.reject(2)
  const batches = await take(reading, 4)
  assert.deepEqual(batches.flatMap(seqsOf), range(0, 4))
  assert.deepEqual(batches[0]!.columns, ['ID', 'TEXT'])
  const rows = batches.flatMap(batch => batch.rows)
  assert.deepEqual(rows[1], { seq: 1, values: cellsOf(1), rejected: null })
  const rejected = { reason: 'CLASSIFIER', detail: 'no such word', values: cellsOf(2) }
  assert.deepEqual(rows[2], { seq: 2, values: null, rejected })
  await stream.rows(4, 6)
  await stream.end(6)
  assert.deepEqual((await all(reading)).flatMap(seqsOf), [4, 5])
})

test('a row has the trace that its result carries, also a rejected row, and no trace where the result has none', async t => {
  const stream = await WrittenStream.open(t)
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
  const headers = { other: 'header', traceparent }
  await stream.row(0, { headers })
  await stream.row(1)
  await stream.reject(2, { headers })
  await stream.end(3)
  const rows = (await all(await read(t, stream))).flatMap(batch => batch.rows)
  const rejected = { reason: 'CLASSIFIER', detail: 'no such word', values: cellsOf(2) }
  assert.deepEqual(rows, [
    { seq: 0, values: cellsOf(0), rejected: null, traceparent },
    { seq: 1, values: cellsOf(1), rejected: null },
    { seq: 2, values: null, rejected, traceparent },
  ])
})

test('an end of input ends no reader before the job ended: another publisher may resume after it', async t => {
  const stream = await WrittenStream.open(t, { epoch: 1 })
  const reading = await read(t, stream)
  await stream.rows(0, 3, { epoch: 1 })
  await stream.ends(3, { epoch: 1 })
  await take(reading, 3)
  const next = reading.next()
  await stream.announce({ epoch: 2 })
  await stream.barriers(2)
  await stream.row(4, { epoch: 1, rows: [['4', 'of a zombie']] })
  await stream.row(3, { epoch: 2, from: 3 })
  assert.deepEqual(seqsOf((await next).value as ResultBatch), [3])
  await stream.row(4, { epoch: 2, from: 3 })
  await stream.end(5, 2, 3)
  assert.deepEqual(
    (await all(reading)).flatMap(({ rows }) => rows),
    [{ seq: 4, values: cellsOf(4), rejected: null }],
  )
})

test('rows of an earlier publisher after the first missing row are replaced, wherever they were read', async t => {
  const stream = await WrittenStream.open(t, { epoch: 1 })
  const reading = await read(t, stream)
  const zombie = (seq: number) => ({ epoch: 1, rows: [[`${seq}`, 'of the original one']] })
  await stream.rows(0, 2, { epoch: 1 })
  for (const seq of [3, 5, 7]) await stream.row(seq, zombie(seq)) // row 2 was never sent
  await take(reading, 2)
  await stream.barriers(2)
  await stream.rows(2, 8, { epoch: 2, from: 2 })
  const rows = (await take(reading, 6)).flatMap(batch => batch.rows)
  assert.deepEqual(
    rows.map(({ values }) => values),
    range(2, 8).map(cellsOf),
  )
})

test('from the checkpoint of any batch another reader resumes exactly, even through JSON', async t => {
  const stream = await WrittenStream.open(t)
  const written = stream.rows(0, 40).then(() => stream.end(40))
  const checkpoints: [number, ResultsCheckpoint][] = []
  let count = 0
  for await (const { rows, checkpoint } of await read(t, stream)) {
    count += rows.length
    checkpoints.push([count, JSON.parse(JSON.stringify(checkpoint))])
  }
  await written
  for (const [count, after] of checkpoints)
    assert.deepEqual((await all(await read(t, stream, { after }))).flatMap(seqsOf), range(count, 40))
})

test('a foreign or meaningless checkpoint is refused', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 1)
  const [batch] = await take(await read(t, stream), 1)
  const { checkpoint } = batch!
  for (const after of [
    { ...checkpoint, job: 'other' },
    { ...checkpoint, pipeline: 'other' },
    {} as ResultsCheckpoint,
    { ...checkpoint, at: { ...checkpoint.at, offsets: [0] } },
  ]) {
    const reading = await read(t, stream, { after })
    await assert.rejects(reading.next(), { code: 'USAGE', message: /^after: / })
  }
})

test('a job announced later is awaited; a signal ends the wait with its reason', async t => {
  const stream = await WrittenStream.open(t, {}, false)
  const stop = new AbortController()
  const reading = await read(t, stream, { signal: stop.signal })
  const next = reading.next()
  await stream.announce()
  await stream.row(0)
  assert.deepEqual(seqsOf((await next).value as ResultBatch), [0])
  const aborted = assert.rejects(reading.next(), /enough/)
  stop.abort(new Error('enough'))
  await aborted
})

test('a gap ends only the reader that meets it, after the rows before it; a failed job ends all', async t => {
  const stream = await WrittenStream.open(t)
  await stream.row(0)
  await stream.row(3) // without row 1
  const gap = await read(t, stream)
  assert.deepEqual((await take(gap, 1)).flatMap(seqsOf), [0])
  await assert.rejects(gap.next(), { code: 'ROW_GAP', message: /expected the result of row 1/ })
  assert.equal((await stream.jobs.latest('j'))!.state, 'open')
  const error = new RowmillError('CLASSIFIER_FAILED', 'job j, row 1: no')
  await failJob(stream.sender, stream.pipeline, stream.job, { error, place: 'row 1', by: 'worker 1' })
  const failed = await read(t, stream)
  await assert.rejects(all(failed), { code: 'CLASSIFIER_FAILED' })
})

test('a change of columns begins another batch', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 3)
  await stream.rows(3, 5, { columns: ['ID', 'OTHER'] })
  const batches = await take(await read(t, stream), 5)
  for (const { columns, rows } of batches)
    assert.deepEqual([...new Set(rows.map(({ seq }) => (seq! < 3 ? 'TEXT' : 'OTHER')))], [columns[1]])
})

/** Begins to read from now on. Resolves when the reader knows the ends of the partitions. */
async function readFromNow(t: TestContext, stream: WrittenStream) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { bounds } = ResultReader.prototype
  t.mock.method(ResultReader.prototype, 'bounds', async function (this: ResultReader, which: 'start' | 'end') {
    const offsets = await bounds.call(this, which)
    if (which === 'end') resolve()
    return offsets
  })
  const next = (await read(t, stream, { from: 'now' })).next()
  await Promise.race([promise, next])
  return { next }
}

test('from now on: nothing that was there before, in its order', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 3)
  await stream.row(4)
  const other = await read(t, stream)
  await take(other, 3)
  const { next } = await readFromNow(t, stream)
  await stream.row(3)
  await stream.row(5)
  assert.deepEqual(seqsOf((await next).value as ResultBatch).slice(0, 1), [3])
})

test('an endless job begins where every partition still has rows, after retention took the first ones', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 20)
  await stream.deleteBefore(0, 3) // rows 0, 2 and 4
  await stream.deleteBefore(1, 5) // rows 1 to 9
  const said: string[] = []
  const [batch] = await take(await read(t, stream, { say: message => said.push(message) }), 10)
  assert.deepEqual(seqsOf(batch!), range(10, 20))
  assert.deepEqual(said, ['job j: retention has deleted the results of its first rows: starting with row 10'])
})

test('a job that has ended and has nothing left is not awaited', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 4)
  await stream.end(4)
  await stream.deleteBefore(0, 3)
  const [kafka, said] = [await testKafka(), [] as string[]]
  const { pipeline, jobs } = stream
  const say = (message: string) => said.push(message)
  const context = { kafka, pipeline, jobs, say, signal: AbortSignal.timeout(60_000) }
  const reading = resultBatches(context, { job: 'j', lookEveryMs: 50 })
  await assert.rejects(reading.next(), { code: 'ROW_GAP', message: /row 0 \(partition 0\) can no longer come/ })
})

test('retention between two readers is a gap for the one that resumes', async t => {
  for (const sequenced of [true, false]) {
    const stream = await WrittenStream.open(t, { sequenced })
    const write = (seq: number) => (sequenced ? stream.row(seq) : stream.arrive(seq % 2, cellsOf(seq)))
    for (let seq = 0; seq < 4; seq++) await write(seq)
    const batches = await take(await read(t, stream), 4)
    for (let seq = 4; seq < 10; seq++) await write(seq)
    await stream.deleteBefore(0, 4)
    const after = batches.at(-1)!.checkpoint
    await assert.rejects(all(await read(t, stream, { after })), { code: 'ROW_GAP' })
  }
})

test('unsequenced rows come as they arrive, copies dropped, from any checkpoint on', async t => {
  const stream = await WrittenStream.open(t, { sequenced: false })
  await stream.arrive(0, ['a', '1'], 10)
  await stream.arrive(0, ['b', '1'], 17)
  await stream.arrive(0, ['a', 'copy'], 10)
  await stream.arrive(1, ['c', '1'], 10)
  const reading = await read(t, stream)
  const batches = await take(reading, 3)
  const cells = batches.flatMap(({ rows }) => rows.map(({ seq, values }) => `${seq} ${values![0]}`))
  assert.deepEqual(cells.sort(), ['null a', 'null b', 'null c'])
  const next = reading.next()
  await stream.arrive(0, ['b', 'copy'], 17)
  await stream.arrive(0, ['d', '1'], 18)
  assert.deepEqual(((await next).value as ResultBatch).rows[0]!.values, ['d', '1'])
  const again = await read(t, stream, { after: JSON.parse(JSON.stringify(batches.at(-1)!.checkpoint)) })
  assert.deepEqual((await take(again, 1))[0]!.rows[0]!.values, ['d', '1'])
})

test('unsequenced rows from now on', async t => {
  const stream = await WrittenStream.open(t, { sequenced: false })
  await stream.arrive(0, ['a', '1'])
  const { next } = await readFromNow(t, stream)
  await stream.arrive(1, ['b', '1'])
  assert.deepEqual(((await next).value as ResultBatch).rows[0]!.values, ['b', '1'])
})

test('a reader that asks for nothing is waited for, and loses nothing', async t => {
  const stream = await WrittenStream.open(t)
  const cell = 'x'.repeat(20_000)
  const written = (async () => {
    for (let seq = 0; seq < 200; seq += 20) await stream.rows(seq, seq + 20, { rows: [[cell, cell]] })
    await stream.end(200)
  })()
  const reading = await read(t, stream)
  await reading.next()
  await written
  const before = process.memoryUsage().rss
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024)
  const rows = (await all(reading)).flatMap(batch => batch.rows)
  assert.equal(rows.at(-1)!.seq, 199)
})

test('leaving the loop closes everything', async t => {
  const stream = await WrittenStream.open(t)
  await stream.rows(0, 5)
  for await (const { rows } of await read(t, stream)) {
    assert.ok(rows.length > 0)
    break
  }
  // An open connection would keep the process of this file alive.
})
