import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Collected, CollectOptions } from '../../src/collect/collect-options.ts'
import { collect } from '../../src/collect/collector.ts'
import type { PackedRows, Sink } from '../../src/connector.ts'
import { rowsInPartition } from '../../src/core/sequence.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Job, Values } from '../../src/model.ts'
import { appendJob, failJob } from '../../src/pipeline/append-job.ts'
import type { PipelineContext } from '../../src/pipeline/context.ts'
import type { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { encodeEndOfInput } from '../../src/wire/codec.ts'
import { testKafka, writablePipeline } from '../helpers/broker.ts'
import { LAYOUT, rowOf, rowsTo, silent, WrittenJob } from '../helpers/written-job.ts'

/** A sink that records its calls and keeps the rows. */
class Memory implements Sink {
  readonly calls: string[] = []
  readonly rows: Values[] = []
  /** What a restart finds: the note, and how many rows were written before it. */
  kept: { note: string; rows: number } | null = null
  onWrite: () => void | Promise<void> = silent

  async open(): Promise<string | null> {
    this.calls.push('open')
    this.rows.length = this.kept?.rows ?? 0
    return this.kept?.note ?? null
  }

  async restart(): Promise<void> {
    this.calls.push('restart')
    this.rows.length = 0
    this.kept = null
  }

  async begin(header: { columns: readonly string[] } | null): Promise<void> {
    this.calls.push(`begin ${header?.columns}`)
  }

  async write(rows: readonly Values[]): Promise<void> {
    if (this.calls.at(-1) !== 'write') this.calls.push('write')
    this.rows.push(...rows)
    await this.onWrite()
  }

  async checkpoint(note: string): Promise<void> {
    this.kept = { note, rows: this.rows.length }
  }

  async commit(summary: object): Promise<void> {
    this.calls.push(`commit ${JSON.stringify(summary)}`)
  }

  async close(): Promise<void> {
    this.calls.push('close')
  }
}

/** A sink that can take rows back. */
class Rewriting extends Memory {
  readonly rewrites = true
}

/** A job whose results the test writes itself, and a collector writes to `sink`. */
class CollectedJob extends WrittenJob {
  readonly sink = new Memory()
  readonly #over = new AbortController()

  static override async open(t: TestContext): Promise<CollectedJob> {
    const { pipeline, jobs, sender } = await writablePipeline(t, LAYOUT.partitions)
    const collected = new CollectedJob(t, pipeline, { jobs, sender })
    t.after(() => collected.#over.abort(new Error('the test is over')))
    await appendJob(sender, pipeline, collected.job())
    return collected
  }

  fail(code: 'CLASSIFIER_FAILED' | 'CLASSIFIER_DIED' = 'CLASSIFIER_FAILED', job = this.job()): Promise<void> {
    const error = new RowmillError(code, 'job j, row 3: no')
    return failJob(this.sender, this.pipeline, job, { error, place: 'row 3', by: 'worker 1' })
  }

  async endResults(total: number, job = 'j', attempt = 0): Promise<void> {
    for (let partition = 0; partition < LAYOUT.partitions; partition++)
      await this.end('results', partition, { job, attempt, rows: rowsInPartition(partition, total, LAYOUT), total })
  }

  async collect(more: Partial<PipelineContext & CollectOptions> = {}): Promise<Collected> {
    const { pipeline, jobs, sink } = this
    const context = { kafka: await testKafka(), pipeline, jobs, say: silent, signal: this.#over.signal }
    return collect({ ...context, ...more }, { job: 'j', sink, ...more })
  }

  /** The present state of the job in `jobs`. */
  async reason(): Promise<[string, string | undefined]> {
    const { state, reason } = (await this.jobs.latest('j'))!
    return [state, reason?.code]
  }
}

test('rows are written in order whatever the order of their results, and the sink contract is kept', async t => {
  const bench = await CollectedJob.open(t)
  const collecting = bench.collect()
  await bench.result(1, 0, 5)
  await bench.result(0, 0, 2)
  await bench.result(0, 2, 4)
  await bench.result(1, 5, 1)
  await bench.endResults(12)
  const { rowsByWorker, ...collected } = await collecting
  assert.deepEqual(collected, { job: 'j', rows: 12, rejects: 0, rowsOut: 12, duplicates: 0, rejected: [] })
  assert.deepEqual([...rowsByWorker], [['worker 1', 12]])
  assert.deepEqual(bench.sink.rows, rowsTo(12))
  const summary = { job: 'j', rows: 12, rejects: 0, rowsOut: 12 }
  assert.deepEqual(bench.sink.calls, ['open', 'begin ID,TEXT', 'write', `commit ${JSON.stringify(summary)}`, 'close'])
})

test('the bytes of results stay until the sink has written them, and then their memory is free', async t => {
  const bench = await CollectedJob.open(t)
  const memories = new Set<ArrayBufferLike>()
  const found: string[] = []
  const written = Promise.withResolvers<void>()
  const writePacked = async ({ bytes }: PackedRows) => {
    memories.add(bytes.buffer)
    await nextTurn()
    found.push(...`${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)}`.match(/row \d+|one\ntwo/g)!)
    if (found.length === 12) written.resolve()
  }
  await Promise.all([bench.result(0, 0, 3), bench.result(1, 0, 3), bench.result(0, 3, 3), bench.result(1, 3, 3)])
  const collecting = bench.collect({ sink: Object.assign(bench.sink, { writePacked }) })
  await Promise.race([written.promise, collecting])
  await bench.endResults(12) // only now: otherwise the ends of input might need the same memory
  await collecting
  assert.deepEqual(
    found,
    rowsTo(12).map(([, text]) => text!.replace('\n"three"', '')),
  )
  assert.ok([...memories].every(({ byteLength }) => byteLength === 0))
})

test('a later collector resumes at the last checkpoint, with what the first one knew', async t => {
  const bench = await CollectedJob.open(t)
  const dead = Promise.withResolvers<never>()
  bench.sink.onWrite = () => (bench.sink.rows.length >= 5 ? dead.promise : undefined)
  const said: string[] = []
  const collecting = bench.collect({ checkpointMs: 0 })
  await bench.result(0, 0, 2)
  await bench.result(0, 2, 1)
  await bench.result(1, 0, 2)
  dead.promise.catch(() => {})
  while (bench.sink.rows.length < 5) await sleep(5)
  dead.reject(new Error('killed'))
  await assert.rejects(collecting, /killed/)
  assert.equal(bench.sink.kept?.rows, 3)

  bench.sink.onWrite = silent
  await bench.result(0, 2, 1, { rows: [['2', 'another copy']] })
  await bench.result(1, 2, 1)
  await bench.endResults(6)
  const { rows } = await bench.collect({ checkpointMs: 0, say: message => said.push(message) })
  assert.equal(rows, 6)
  assert.deepEqual(bench.sink.rows, rowsTo(6))
  assert.deepEqual(said, ['resuming job j at row 3'])
  assert.deepEqual(
    bench.sink.calls.filter(call => call.startsWith('begin')),
    ['begin ID,TEXT', 'begin ID,TEXT'],
  )
})

test('kinds and classifier of results before a checkpoint are compared with those after it', async t => {
  for (const [more, code] of [
    [{ kinds: ['float', 'text'] }, 'KIND_DRIFT'],
    [{ classifier: new Uint8Array(8).fill(1) }, 'CLASSIFIER_MIXED'],
    [{ columns: ['ID', 'OTHER'] }, 'BATCH_DEPENDENT'],
  ] as const) {
    const bench = await CollectedJob.open(t)
    const stop = new AbortController()
    bench.sink.onWrite = () => stop.abort(new Error('killed'))
    const killed = assert.rejects(bench.collect({ checkpointMs: 0, signal: stop.signal }), /killed/)
    await bench.result(0, 0, 3)
    await killed
    assert.equal(bench.sink.kept?.rows, 3)
    await bench.result(1, 0, 3, more)
    await assert.rejects(bench.collect(), { code })
  }
})

const DRIFTING = { kinds: ['text', 'integer'], rows: [0, 1, 2].map(row => [`${row}`, `${row}`]) }
const FLOATS = { kinds: ['text', 'float'], rows: [3, 4, 5].map(row => [`${row}`, `${row}.5`]) }
const WHOLE = [0, 1, 2, 3, 4, 5].map(row => [`${row}`, row < 3 ? `${row}.0` : `${row}.5`])

test('a column that drifts is written again as over the whole file, from the results, and the user is told once', async t => {
  const bench = await CollectedJob.open(t)
  const [sink, said]: [Memory, string[]] = [new Rewriting(), []]
  await bench.result(0, 0, 3, DRIFTING)
  await bench.result(1, 0, 3, FLOATS)
  await bench.endResults(6)
  const { rows, rowsByWorker } = await bench.collect({ sink, say: message => said.push(message) })
  assert.deepEqual([rows, [...rowsByWorker]], [6, [['worker 1', 6]]])
  assert.deepEqual(sink.rows, WHOLE)
  assert.deepEqual(
    sink.calls.map(call => call.split(' ')[0]),
    ['open', 'begin', 'write', 'restart', 'begin', 'write', 'commit', 'close'],
  )
  assert.deepEqual(said.length, 1)
  assert.match(said[0]!, /TEXT as floats. So OUT is written again from the results, and nothing is classified again/)
})

test('a sink that cannot take rows back gets no rows that may be wrong, and the job is left to one that can', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3, DRIFTING)
  await bench.result(1, 0, 3, FLOATS)
  await bench.endResults(6)
  const message = /column TEXT is float .* and integer .* Collect the job into a file: /
  await assert.rejects(bench.collect(), { code: 'KIND_DRIFT', message })
  assert.equal(bench.sink.calls.includes('restart'), false)
  const sink = new Rewriting()
  assert.equal((await bench.collect({ sink })).rows, 6)
  assert.deepEqual(sink.rows, WHOLE)
})

test('a collector killed in the first pass or in the second resumes there, and knows what the first rows were', async t => {
  for (const [killAt, resumed] of [
    [3, 'resuming job j at row 3'],
    [9, 'resuming job j at row 3'],
  ] as const) {
    const bench = await CollectedJob.open(t)
    const [sink, said]: [Memory, string[]] = [new Rewriting(), []]
    let written = 0
    const stop = new AbortController()
    const write = sink.write.bind(sink)
    sink.write = async given => {
      await write(given)
      written += given.length
      if (written === killAt) stop.abort(new Error('killed'))
    }
    await bench.result(0, 0, 3, DRIFTING)
    await bench.result(1, 0, 3, FLOATS)
    await bench.endResults(6)
    const collect = (signal?: AbortSignal) =>
      bench.collect({ sink, checkpointMs: 0, say: message => said.push(message), ...(signal && { signal }) })
    await assert.rejects(collect(stop.signal), /killed/)
    assert.equal(sink.kept?.rows, 3)
    const { rows } = await collect()
    assert.equal(rows, 6)
    assert.deepEqual(sink.rows, WHOLE)
    assert.ok(said.includes(resumed), said.join())
    assert.equal(said.filter(message => message.includes('again from the results')).length, 1)
  }
})

test('output of another job is refused, with a cure', async t => {
  const bench = await CollectedJob.open(t)
  bench.sink.kept = { note: JSON.stringify({ job: 'other', pipeline: 'p' }), rows: 0 }
  const message = /unfinished job, other of pipeline p.*--restart/
  await assert.rejects(bench.collect(), { code: 'OUTPUT_UNUSABLE', message })
  assert.equal((await bench.jobs.latest('j'))?.state, 'open')
})

test('a job is not complete before the last partition has its end of input', async t => {
  const bench = await CollectedJob.open(t)
  const all = Promise.withResolvers<void>()
  bench.sink.onWrite = () => {
    if (bench.sink.rows.length === 3) all.resolve()
  }
  const collecting = bench.collect()
  await bench.result(0, 0, 3)
  const end = { job: 'j', epoch: 0, from: 0, attempt: 0, total: 3 }
  await bench.raw('results', 1, encodeEndOfInput({ ...end, partition: 1, rows: 0 }))
  await all.promise
  const soon = sleep(300).then(() => 'open') // no event tells that nothing ends
  assert.equal(await Promise.race([collecting.then(() => 'complete'), soon]), 'open')
  await bench.raw('results', 0, encodeEndOfInput({ ...end, partition: 0, rows: 3 }))
  assert.equal((await collecting).rows, 3)
})

test('a job without rows begins with the columns of its empty result, or with none', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 0)
  await bench.endResults(0)
  await bench.collect()
  assert.equal(bench.sink.calls[1], 'begin ID,TEXT')
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'k' }))
  await bench.endResults(0, 'k')
  const sink = new Memory()
  await bench.collect({ job: 'k', sink })
  assert.equal(sink.calls[1], 'begin undefined')
})

test('a job announced later is awaited, and results of other jobs are skipped', async t => {
  const bench = await CollectedJob.open(t)
  const collecting = bench.collect({ job: 'later' })
  await bench.result(0, 0, 3)
  await bench.endResults(3)
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'later' }))
  await bench.result(0, 0, 1, { job: 'later' })
  await bench.endResults(1, 'later')
  assert.equal((await collecting).rows, 1)
})

test('the first of several results of a row counts, whatever the later ones contain', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 2)
  await bench.result(1, 0, 3)
  const rejected = [{ index: 0, seq: 0, line: null, reason: 'NO', detail: '', values: ['0'] }]
  await bench.result(0, 0, 2, { rejected, rows: [['1', 'other']], by: 'worker 2' })
  await bench.result(0, 0, 2, { classifier: new Uint8Array(8).fill(1), kinds: ['float', 'text'], by: 'worker 2' })
  await bench.result(0, 1, 2)
  await bench.endResults(6)
  await bench.result(1, 0, 3)
  const { rows, duplicates, rowsByWorker } = await bench.collect()
  assert.equal(rows, 6)
  assert.equal(duplicates, 5)
  assert.deepEqual(bench.sink.rows, rowsTo(6))
  assert.equal(rowsByWorker.get('worker 1'), 6)
})

test('a missing result is a gap, named by row and partition, and fails the job for all', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.result(1, 0, 1)
  await bench.result(1, 2, 1) // without row 4
  await bench.endResults(6)
  await assert.rejects(bench.collect(), (error: RowmillError) => {
    assert.equal(error.code, 'ROW_GAP')
    assert.match(error.message, /job j, .*results\[1\]@1: expected the result of row 4/)
    assert.deepEqual([error.facts['row'], error.facts['partition']], [4, 1])
    return true
  })
  assert.deepEqual(await bench.reason(), ['failed', 'ROW_GAP'])
  assert.equal(bench.sink.calls.at(-1), 'close')
  assert.equal(
    bench.sink.calls.some(call => call.startsWith('commit')),
    false,
  )
})

test('a missing last result is a gap', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.result(1, 0, 2)
  await bench.endResults(6)
  await assert.rejects(bench.collect(), { code: 'ROW_GAP', message: /expected the result of row 5/ })
})

test('results that retention deleted are a gap', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 1)
  await bench.result(0, 1, 2)
  await bench.endResults(3)
  await bench.deleteBefore([['results', 0, 1]])
  await assert.rejects(bench.collect(), { code: 'ROW_GAP', message: /expected the result of row 0 / })
})

test('results of two classifiers are refused, naming the workers', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.result(1, 0, 3, { classifier: new Uint8Array(8).fill(7), by: 'worker 2' })
  await bench.endResults(6)
  await assert.rejects(bench.collect(), { code: 'CLASSIFIER_MIXED', message: /workers worker 1 and worker 2/ })
  assert.deepEqual(await bench.reason(), ['failed', 'CLASSIFIER_MIXED'])
})

test('a column that changes its kind is refused, naming the rows', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.result(1, 0, 3, { kinds: ['float', 'text'] })
  await assert.rejects(bench.collect(), { code: 'KIND_DRIFT', message: /column ID is float in rows 3 to 5/ })
})

test('a rejected row ends the job, naming row and reason', async t => {
  const bench = await CollectedJob.open(t)
  const rejected = [{ index: 1, seq: 1, line: 3, reason: 'CLASSIFIER', detail: 'no such word', values: ['1'] }]
  await bench.result(0, 0, 3, { rejected, rows: [rowOf(0), rowOf(2)] })
  await assert.rejects(bench.collect(), {
    code: 'REJECTS_OVER_BUDGET',
    message: /row 1 \(line 3\) was rejected: CLASSIFIER no such word/,
  })
})

test('a message that is not a record is reported once and skipped', async t => {
  const bench = await CollectedJob.open(t)
  const said: string[] = []
  await bench.result(0, 0, 3)
  await bench.raw('results', 1, Buffer.from('garbage'))
  await bench.raw('results', 1, Buffer.from('more'))
  await bench.result(1, 0, 3)
  await bench.endResults(6)
  assert.equal((await bench.collect({ say: message => said.push(message) })).rows, 6)
  assert.equal(said.length, 1)
  assert.match(said[0]!, /^job j, .*results\[1\]@0: .*It is skipped/)
})

test('a job that failed before, or fails now, ends its collector with its code and message', async t => {
  const bench = await CollectedJob.open(t)
  const said = {
    code: 'CLASSIFIER_FAILED',
    message: 'job j, row 3: no',
    facts: { job: 'j', attempt: 0, place: 'row 3', told: true },
  }
  const wrote = Promise.withResolvers<void>()
  bench.sink.onWrite = wrote.resolve
  const collecting = assert.rejects(bench.collect(), said)
  await bench.result(0, 0, 1)
  await wrote.promise
  await bench.fail()
  await collecting
  const late = new Memory()
  await assert.rejects(bench.collect({ sink: late }), said)
  assert.equal(late.calls.at(-1), 'close')
})

test('a gap caused by a failure does not hide it, even if the collector meets the gap first', async t => {
  const bench = await CollectedJob.open(t)
  await bench.fail()
  await bench.result(0, 1, 2)
  const slow = {
    found: async () => bench.job(),
    attemptsOf: () => [{ attempt: 0, resultsFrom: [0, 0] }],
    latest: (id: string) => bench.jobs.latest(id),
    until: (id: string, when: (job: Job) => boolean, signal: AbortSignal) =>
      when(bench.job()) ? Promise.resolve(bench.job()) : bench.jobs.until(id, () => false, signal),
  } as unknown as JobLog
  await assert.rejects(bench.collect({ jobs: slow }), { code: 'CLASSIFIER_FAILED' })
  assert.deepEqual(await bench.reason(), ['failed', 'CLASSIFIER_FAILED'])
})

test('a cancelled job says who cancelled it', async t => {
  const bench = await CollectedJob.open(t)
  await appendJob(bench.sender, bench.pipeline, { ...bench.job(), state: 'cancelled', by: 'anna' })
  await assert.rejects(bench.collect(), { code: 'JOB_CANCELLED', message: 'job j was cancelled by anna' })
})

test('a failing sink ends its collector, and the job can be collected again', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.endResults(3)
  bench.sink.onWrite = () => {
    throw new RowmillError('OUTPUT_FAILED', 'no space left')
  }
  await assert.rejects(bench.collect(), { code: 'OUTPUT_FAILED' })
  assert.equal(bench.sink.calls.at(-1), 'close')
  assert.deepEqual(await bench.reason(), ['open', undefined])
  const sink = new Memory()
  assert.equal((await bench.collect({ sink })).rows, 3)
})

test('an interruption ends the collector with its reason, before and after the job is known', async t => {
  const bench = await CollectedJob.open(t)
  for (const job of ['j', 'nobody']) {
    const stop = new AbortController()
    const collecting = bench.collect({ job, signal: stop.signal, sink: new Memory() })
    setImmediate(() => stop.abort(new RowmillError('INTERRUPTED', 'interrupted')))
    await assert.rejects(collecting, { code: 'INTERRUPTED' })
  }
  const stopped = AbortSignal.abort(new RowmillError('INTERRUPTED', 'interrupted'))
  await assert.rejects(bench.collect({ signal: stopped, sink: new Memory() }), { code: 'INTERRUPTED' })
})

test('progress counts each row once, classified and written', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(1, 0, 3)
  await bench.result(0, 0, 3)
  await bench.result(0, 0, 3)
  await bench.endResults(6)
  const told: [number, number][] = []
  await bench.collect({ onProgress: (classified, written) => told.push([classified, written]) })
  assert.deepEqual(told.at(-1), [6, 6])
})

test('a sink that stalls for long loses nothing, however often the collector looks', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3)
  await bench.result(1, 0, 3)
  await appendJob(bench.sender, bench.pipeline, { ...bench.job(), state: 'ended', total: 9 })
  const { promise: looked, resolve } = Promise.withResolvers<void>()
  let looks = 0
  const watched = async () => {
    const admin = await (await testKafka()).admin()
    const bounds = admin.bounds.bind(admin)
    admin.bounds = (topic, partition) => {
      if (topic.endsWith('.results') && ++looks === 3) resolve()
      return bounds(topic, partition)
    }
    return admin
  }
  const plain = await testKafka()
  const kafka = new Proxy(plain, {
    get: (_, name) =>
      name === 'admin' ? watched : (Reflect.get(plain, name).bind?.(plain) ?? Reflect.get(plain, name)),
  })
  bench.sink.onWrite = () => looked
  const collecting = bench.collect({ kafka, lookEveryMs: 50 })
  collecting.catch(() => {})
  await looked
  await bench.result(0, 3, 3)
  await bench.endResults(9)
  assert.equal((await collecting).rows, 9)
})

/** Row 1 of the job, at position 1 of partition 0, without a result. */
const REJECT = { index: 1, seq: 1, line: 3, reason: 'R', detail: '', values: ['1'] }

test('of a reopened job, the last attempt of each row counts, and classifiers of attempts may differ', async t => {
  const bench = await CollectedJob.open(t)
  await bench.result(0, 0, 3, { rows: [rowOf(0), rowOf(2)], rejected: [REJECT] })
  await bench.result(1, 0, 3)
  await bench.fail()
  const attempt = 1
  await appendJob(bench.sender, bench.pipeline, { ...bench.job(), attempt, resultsFrom: [1, 1] })
  const collecting = bench.collect()
  const repaired = { attempt, classifier: new Uint8Array(8).fill(1) }
  await bench.result(0, 1, 1, { ...repaired, rows: [['1', 'repaired']] })
  await bench.result(0, 3, 3, repaired)
  await bench.result(0, 3, 3, { ...repaired, rows: [6, 7, 8].map(seq => [`${seq}`, 'copy']) })
  await bench.endResults(9)
  await bench.endResults(9, 'j', attempt)
  const { rows, rejects, duplicates } = await collecting
  assert.deepEqual([rows, rejects, duplicates], [9, 0, 3])
  const expected = rowsTo(9)
  expected[1] = ['1', 'repaired']
  assert.deepEqual(bench.sink.rows, expected)
})

test('a later attempt restarts an output that lacks rejects, and resumes one that lacks none', async t => {
  for (const [rejected, calls] of [
    [[REJECT], ['open', 'restart', 'begin ID,TEXT']],
    [[], ['open', 'begin ID,TEXT']],
  ] as const) {
    const bench = await CollectedJob.open(t)
    await appendJob(bench.sender, bench.pipeline, {
      ...bench.job({ id: 'k' }),
      options: [{ name: 'maxRejects', value: '1' }],
    })
    const rows = rowsTo(3).filter((_, seq) => rejected.length === 0 || seq !== 1)
    await bench.result(0, 0, 3, { job: 'k', rows, rejected: [...rejected] })
    const stop = new AbortController()
    bench.sink.onWrite = () => void setImmediate(() => stop.abort(new Error('killed')))
    await assert.rejects(bench.collect({ job: 'k', checkpointMs: 0, signal: stop.signal }), /killed/)
    bench.sink.onWrite = silent
    bench.sink.calls.splice(0)
    await bench.fail('CLASSIFIER_FAILED', bench.job({ id: 'k' }))
    await appendJob(bench.sender, bench.pipeline, { ...bench.job({ id: 'k' }), attempt: 1, resultsFrom: [1, 0] })
    if (rejected.length > 0) await bench.result(0, 1, 1, { job: 'k', attempt: 1 })
    await bench.endResults(3, 'k', 1)
    assert.equal((await bench.collect({ job: 'k' })).rows, 3)
    assert.deepEqual(bench.sink.calls.slice(0, calls.length), calls)
    assert.deepEqual(bench.sink.rows, rowsTo(3))
  }
})

test('a lost row is found while results of other jobs keep coming', async t => {
  const bench = await CollectedJob.open(t)
  await appendJob(bench.sender, bench.pipeline, { ...bench.job({ id: 'lost' }), state: 'ended', total: 3 })
  await appendJob(bench.sender, bench.pipeline, bench.job({ id: 'live' }))
  const collecting = bench.collect({ job: 'lost', lookEveryMs: 50 })
  const over = collecting.then(
    () => true,
    () => true,
  )
  let first = 0
  while (!(await Promise.race([over, bench.result(0, first, 3, { job: 'live' }).then(() => false)]))) first += 3
  const message = /row 0 \(partition 0\) can no longer come: \S+\.rows\[0\] holds nothing for the workers/
  await assert.rejects(collecting, { code: 'ROW_GAP', message })
})

test('rows are read from the topic that the job names', async t => {
  const bench = await CollectedJob.open(t)
  const { bulk: topic } = topicsOf(bench.pipeline)
  const admin = await (await testKafka()).admin()
  t.after(() => admin.close())
  await admin.createTopics([{ topic, partitions: 2, replicationFactor: 1, config: {} }])
  await appendJob(bench.sender, bench.pipeline, { ...bench.job({ id: 'bulk' }), topic, state: 'ended', total: 3 })
  const message = /row 0 \(partition 0\) can no longer come: \S+\.bulk\[0\] holds nothing for the workers/
  await assert.rejects(bench.collect({ job: 'bulk', lookEveryMs: 50 }), { code: 'ROW_GAP', message })
})
