import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import { appendJob, failJob } from '../../src/pipeline/append-job.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { JobTopic } from '../../src/verify/job-topic.ts'
import { testKafka } from '../helpers/broker.ts'
import { codes, FORMAT, first, RIGHT, rowsTo, silent, TOTAL, WrittenJob } from '../helpers/written-job.ts'

const NONE = { rows: 0, results: 0 }

test('a whole job and its file agree in every count, and the digest is that of the file', async t => {
  const bench = await WrittenJob.open(t)
  await bench.row(0, 0) // opens an epoch, by the wire format
  await bench.publish()
  await bench.classify()
  const { digests, rowsByWorker, ...found } = await bench.verify()
  assert.deepEqual(found, {
    ...{
      job: 'j',
      rowsIn: TOTAL,
      rowsOut: TOTAL,
      rejects: 0,

      duplicates: NONE,
      gaps: NONE,
      malformed: NONE,
    },
    ...{ classifiers: ['0000000000000000'], findings: [] },
  })
  assert.deepEqual([...rowsByWorker].sort(), [
    ['worker 1', 8],
    ['worker 2', 6],
  ])
  assert.match(digests.out, /^[0-9a-f]{64}$/)
  assert.equal(digests.expected, digests.out)
})

test('repeated rows and results are counted row by row, even if they overlap, and change nothing', async t => {
  const bench = await WrittenJob.open(t)
  await bench.row(0, 3)
  await bench.row(1, 2)
  await bench.row(6, 3)
  await bench.row(0, 3)
  await bench.publish()
  await bench.result(0, 0, 2)
  await bench.result(0, 0, 2, {
    rows: [
      ['0', 'other'],
      ['1', 'other'],
    ],
    classifier: new Uint8Array(8).fill(1),
  })
  await bench.result(0, 1, 3)
  await bench.classify()
  const verified = await bench.verify()
  assert.deepEqual(codes(verified), [])
  assert.deepEqual(verified.duplicates, { rows: 11, results: 7 })
  assert.deepEqual(verified.classifiers, ['0000000000000000'])
})

test('a missing result is a gap named by row, even if it comes later, and the rest is counted', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(1, 0, 1)
  await bench.result(1, 3, 3)
  await bench.result(0, 0, 8)
  await bench.result(1, 2, 1)
  await bench.ends('results')
  const verified = await bench.verify()
  const { code, message, facts } = first(verified)
  assert.equal(code, 'ROW_GAP')
  assert.match(
    message,
    /^job j, .*\.results\[1\]@1: expected row 4 and found row 9; 2 rows of this partition are missing, of which 1 came later, out of order\. /,
  )
  assert.deepEqual([facts['row'], facts['partition']], [4, 1])
  assert.deepEqual([verified.rowsIn, verified.rowsOut, verified.gaps.results], [TOTAL, 12, 2])
  assert.equal(verified.digests.expected, null)
})

test('a missing last result before the end of input is a gap', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.result(1, 0, 5)
  await bench.ends('results')
  const verified = await bench.verify()
  assert.match(
    first(verified).message,
    /results\[1\]@1: expected row 11 and found the end of input; 1 row of this partition is missing/,
  )
  assert.deepEqual(codes(verified), ['ROW_GAP'])
})

test('a missing row is a gap named by row, though all results are there', async t => {
  const bench = await WrittenJob.open(t)
  for (const [seq, count] of [
    [0, 3],
    [3, 2],
    [6, 3],
    [9, 3],
    [12, 2],
  ] as const)
    await bench.row(seq, count)
  await bench.ends('rows')
  await bench.classify()
  const verified = await bench.verify()
  assert.deepEqual([codes(verified), verified.gaps], [['ROW_GAP'], { rows: 1, results: 0 }])
  assert.match(first(verified).message, /\.rows\[1\]@1: expected row 5 and found row 9/)
  assert.equal(verified.digests.expected, verified.digests.out)
})

test('an incomplete job reports the progress of each stage, and is not waited for', async t => {
  const bench = await WrittenJob.open(t)
  await bench.row(0, 3)
  const publishing = await bench.verify('')
  assert.deepEqual(codes(publishing), ['JOB_INCOMPLETE'])
  assert.match(
    first(publishing).message,
    /job j is not complete: .*\.rows has 3 rows and the end of input in 0 of 2 partitions; .*\.results has 0 rows .* 0 of 2 .*publisher has not finished/,
  )
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.end('results', 0)
  await bench.result(1, 0, 6)
  const classifying = await bench.verify()
  assert.deepEqual(codes(classifying), ['JOB_INCOMPLETE'])
  assert.match(
    first(classifying).message,
    /\.rows has 14 rows and the end of input in 2 of 2 partitions; .*\.results has 14 rows and the end of input in 1 of 2 partitions\. Start rowmill work/,
  )
  assert.equal(classifying.digests.expected, null)
})

test('ends of input that contradict each other, or the rows before them, are named', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.result(1, 0, 6)
  await bench.end('results', 0)
  await bench.end('results', 1, { total: 15 })
  const verified = await bench.verify()
  assert.equal(first(verified).code, 'ROW_MALFORMED')
  assert.match(
    first(verified).message,
    /contradict each other: .*results\[1\]@1 says 6 of 15 .*rows\[0\]@3 says 8 of 14 rows$/,
  )

  for (const [id, more, said] of [
    ['rows', { rows: 5 }, /says 5 of 14 rows for partition 1: it must say 6/],
    ['partition', { partition: 0 }, /for partition 0: it must say 6/],
  ] as const) {
    await appendJob(bench.sender, bench.pipeline, bench.job({ id }))
    await bench.publish(id)
    await bench.result(0, 0, 8, { job: id })
    await bench.result(1, 0, 6, { job: id })
    await bench.end('results', 0, { job: id })
    await bench.end('results', 1, { job: id, ...more })
    const { code, message } = first(await bench.verify(RIGHT, { job: id }))
    assert.deepEqual([code, said.test(message)], ['ROW_MALFORMED', true], message)
  }
})

test('more rows than the end of input says are a contradiction', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.result(1, 0, 7)
  await bench.ends('results')
  const verified = await bench.verify()
  assert.match(first(verified).message, /results\[1\]@1 says 6 of 14 rows, 7 came before it$/)
})

test('unreadable messages are counted and the first is named; in rows they prevent no agreement', async t => {
  const bench = await WrittenJob.open(t)
  await bench.row(3, 3, { into: 0 })
  await bench.row(2, 2, { into: 0 })
  await bench.raw('rows', 1, Buffer.from('garbage'))
  await bench.row(0, 1, { seq: null })
  await bench.publish()
  await bench.classify()
  const said: string[] = []
  const tolerated = await bench.verify(RIGHT, { say: message => said.push(message) })
  assert.deepEqual([codes(tolerated), tolerated.malformed], [[], { rows: 4, results: 0 }])
  assert.match(said.join('\n'), /skipped, as the workers did: .*\.rows\[0\]@0: row 3 belongs to partition 1/)

  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k' }))
  await bench.publish('k')
  await bench.result(0, 0, 8, { job: 'k' })
  await bench.raw('results', 1, Buffer.from('garbage'))
  await bench.raw('results', 1, Buffer.alloc(0))
  await bench.result(1, 0, 6, { job: 'k' })
  await bench.ends('results', { job: 'k' })
  const verified = await bench.verify(RIGHT, { job: 'k' })
  assert.deepEqual([codes(verified), verified.malformed.results], [['ROW_MALFORMED'], 2])
  assert.match(first(verified).message, /^job k: .*\.results\[1\]@2: cannot read this message: it begins with 6761/)
  assert.equal(verified.digests.expected, verified.digests.out)
})

test('messages of other jobs between those of the job are skipped, whatever they say', async t => {
  const bench = await WrittenJob.open(t)
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k', partitions: 1, rowsFrom: [0], resultsFrom: [0] }))
  await bench.row(0, 3)
  await bench.row(0, 2, { job: 'k' })
  await bench.row(3, 3)
  await bench.ends('rows', { job: 'k', total: 2, rows: 2 })
  await bench.publish()
  await bench.result(0, 0, 5)
  await bench.result(0, 0, 2, { job: 'k', classifier: new Uint8Array(8).fill(9), by: 'worker 9' })
  await bench.ends('results', { job: 'k', total: 2, rows: 2 })
  await bench.classify()
  const verified = await bench.verify()
  assert.deepEqual([codes(verified), verified.duplicates], [[], { rows: 6, results: 5 }])
  assert.equal(verified.rowsByWorker.get('worker 9'), undefined)
  assert.deepEqual(codes(await bench.verify(FORMAT.lines(rowsTo(2)), { job: 'k' })), [])
})

test('messages before the job and after its end of input are not read', async t => {
  const bench = await WrittenJob.open(t)
  await bench.raw('results', 0, Buffer.from('garbage'))
  await bench.raw('rows', 0, Buffer.from('garbage'))
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k', rowsFrom: [1, 0], resultsFrom: [1, 0] }))
  await bench.publish('k')
  await bench.classify('k')
  await bench.raw('results', 0, Buffer.from('garbage'))
  assert.deepEqual(codes(await bench.verify(RIGHT, { job: 'k' })), [])
})

test('a topic is read as it was when it was opened', async t => {
  const bench = await WrittenJob.open(t)
  await bench.result(0, 0, 5)
  const { pipeline, jobs } = bench
  const context = { kafka: await testKafka(), pipeline, jobs, say: silent, signal: AbortSignal.timeout(120_000) }
  const topic = await JobTopic.open(context, { topic: topicsOf(pipeline).results, job: 'j', from: [0, 0] })
  try {
    await bench.result(0, 5, 3)
    await bench.ends('results')
    const [partition, other] = await topic.read()
    assert.equal((await partition!.next())?.where, `${topic.topic}[0]@0`)
    assert.equal(await partition!.next(), null)
    assert.equal(await other!.next(), null)
    assert.equal(topic.ended, 0)
  } finally {
    await topic.close()
  }
})

test('results of two classifiers do not agree, and both are named', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 8)
  await bench.result(1, 0, 6, { classifier: new Uint8Array(8).fill(7), by: 'worker 2' })
  await bench.ends('results')
  const verified = await bench.verify()
  assert.deepEqual(verified.classifiers, ['0000000000000000', '0707070707070707'])
  assert.equal(first(verified).exitCode, 6)
  assert.match(first(verified).message, /2 classifiers: 0000000000000000 \(worker 1\), 0707070707070707 \(worker 2\)/)
})

test('a job that failed or was cancelled says why, with the exit code of verify', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.classify()
  const error = new RowmillError('CLASSIFIER_FAILED', 'job j, row 3: no such word')
  await failJob(bench.sender, bench.pipeline, bench.job(), { error, place: 'row 3', by: 'worker 1' })
  const failed = first(await bench.verify())
  assert.deepEqual([failed.code, failed.exitCode], ['JOB_INCOMPLETE', 6])
  assert.equal(failed.message, 'job j failed (CLASSIFIER_FAILED): job j, row 3: no such word')
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k' }))
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k', state: 'cancelled', by: 'anna' }))
  const cancelled = await bench.verify('', { job: 'k' })
  assert.match(first(cancelled).message, /^job k was cancelled \(JOB_CANCELLED\): job k was cancelled by anna/)
})

test('rows and results that retention deleted are named by partition and first row missing', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.classify()
  await bench.deleteBefore([
    ['rows', 0, 1],
    ['rows', 1, 3],
    ['results', 0, 1],
  ])
  const verified = await bench.verify()
  assert.deepEqual(codes(verified), ['ROW_GAP', 'ROW_GAP', 'ROW_GAP', 'JOB_INCOMPLETE'])
  const [head, all, result, incomplete] = verified.findings.map(({ message }) => message)
  assert.match(
    head!,
    /expected row 0 and found row 6; 3 rows .*rows\[0\] now begins at offset 1, but the job began at 0/,
  )
  assert.match(all!, /rows\[1\] now begins at offset 3, but the job began at 0: .*The first row missing is 3\.$/)
  assert.match(result!, /expected row 0 and found row 8; 5 rows .*results\[0\] now begins at offset 1,/)
  assert.match(incomplete!, /rows\[1\] now begins at offset 3/)
})

test('retention is not blamed for a gap after what it deleted, nor for rows that never existed', async t => {
  const bench = await WrittenJob.open(t)
  await bench.row(0, 1)
  await bench.end('rows', 0, { rows: 1, total: 1 })
  await bench.end('rows', 1, { rows: 0, total: 1 })
  await bench.result(0, 0, 1, { job: 'other' })
  await bench.result(0, 1, 1)
  await bench.deleteBefore([
    ['rows', 1, 1],
    ['results', 0, 1],
  ])
  const report = await bench.verify()
  assert.deepEqual(codes(report), ['ROW_GAP', 'JOB_INCOMPLETE'])
  assert.match(first(report).message, /\.results\[0\]@1: expected row 0 and found row 1/)
  assert.match(report.findings[1]!.message, /\.rows\[1\] now begins at offset 1,/)

  const from = { rowsFrom: [0, 0], resultsFrom: [0, 0] }
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k', ...from }))
  await bench.publish('k')
  await bench.result(0, 0, 3, { job: 'k' })
  await bench.result(0, 5, 3, { job: 'k' })
  const gap = await bench.verify(RIGHT, { job: 'k' })
  assert.match(first(gap).message, /expected row 6 and found row 8; .*was the topic truncated by retention\?$/)
})

test('an unknown job, one without an end, and a missing file are refused', async t => {
  const bench = await WrittenJob.open(t)
  await assert.rejects(bench.verify('', { job: 'nobody' }), {
    code: 'USAGE',
    message: /^no job nobody in pipeline test-/,
  })
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'events', bounded: false }))
  await assert.rejects(bench.verify('', { job: 'events' }), {
    code: 'USAGE',
    message: /job events has no order or no end/,
  })
  for (const file of ['out', 'against']) {
    const missing = bench.verify('', { [file]: join(bench.folder, 'none') })
    await assert.rejects(missing, { code: 'INPUT_NOT_FOUND', message: /none does not exist/ })
  }
})

test('an interruption ends it with its reason', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  const reason = new RowmillError('INTERRUPTED', 'interrupted')
  await assert.rejects(bench.verify('', { signal: AbortSignal.abort(reason) }), reason)
  const stop = new AbortController()
  const verifying = bench.verify('', { signal: stop.signal, say: () => stop.abort(reason) })
  await assert.rejects(verifying, reason)
})

test('with several attempts, the last one that has a row counts, and two classifiers are no finding', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  const reject = { index: 2, seq: 2, line: 4, reason: 'R', detail: '', values: ['2'] }
  await bench.result(0, 0, 5, { rows: [0, 1, 6, 7].map(seq => rowsTo(TOTAL)[seq]!), rejected: [reject] })
  await bench.result(1, 0, 3)
  await failJob(bench.sender, bench.pipeline, bench.job(), {
    ...{ error: new RowmillError('REJECTS_OVER_BUDGET', 'too many'), place: null, by: 'collector' },
  })
  assert.deepEqual(codes(await bench.verify()).slice(0, 1), ['JOB_INCOMPLETE'])
  const later = { attempt: 1, classifier: new Uint8Array(8).fill(1), by: 'worker 3' }
  await appendJob(bench.sender, bench.pipeline, bench.job({ attempt: 1, state: 'ended', resultsFrom: [1, 1] }))
  await bench.result(0, 2, 1, later)
  await bench.result(0, 5, 3, later)
  await bench.result(0, 5, 1, later)
  await bench.result(1, 3, 2, later)
  await bench.end('results', 0, { attempt: 1 })
  const early = await bench.verify()
  assert.deepEqual(codes(early), ['JOB_INCOMPLETE'])
  await bench.result(1, 5, 1, later)
  await bench.end('results', 1, { attempt: 1 })
  const { findings, rowsOut, rejects, duplicates, gaps, rowsByWorker, classifiers } = await bench.verify()
  assert.deepEqual(findings, [])
  assert.deepEqual([rowsOut, rejects, duplicates.results, gaps.results], [TOTAL, 0, 1, 0])
  assert.deepEqual(Object.fromEntries(rowsByWorker), { 'worker 1': 7, 'worker 3': 7 })
  assert.equal(classifiers.length, 2)
})

test('an attempt that contradicts the one before it does not count', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 7)
  const open = (attempt: number) =>
    appendJob(bench.sender, bench.pipeline, bench.job({ attempt, state: 'ended', resultsFrom: [1, 0] }))
  await open(1)
  await bench.result(0, 7, 1, { attempt: 1, columns: ['ID', 'OTHER'] })
  await bench.result(1, 0, 6, { attempt: 1, columns: ['ID', 'OTHER'] })
  const error = new RowmillError('KIND_DRIFT', 'other columns')
  await failJob(bench.sender, bench.pipeline, bench.job({ attempt: 1 }), { error, place: null, by: 'collector' })
  await open(2)
  await bench.result(0, 7, 1, { attempt: 2 })
  await bench.result(1, 0, 6, { attempt: 2 })
  await bench.ends('results', { attempt: 2 })
  const { findings, rowsOut, duplicates } = await bench.verify()
  assert.deepEqual([findings, rowsOut, duplicates.results], [[], TOTAL, 0])
})

test('a row in no attempt is a gap of the job, whatever its attempts say', async t => {
  const bench = await WrittenJob.open(t)
  await bench.publish()
  await bench.result(0, 0, 4)
  await appendJob(bench.sender, bench.pipeline, bench.job({ attempt: 1, state: 'ended', resultsFrom: [1, 0] }))
  await bench.result(0, 5, 3, { attempt: 1 })
  await bench.result(1, 0, 6, { attempt: 1 })
  await bench.ends('results', { attempt: 1 })
  const verified = await bench.verify()
  assert.equal(first(verified).code, 'ROW_GAP')
  assert.deepEqual([first(verified).facts.row, verified.gaps.results], [7, 1])
})
