/** Real hosts with classifiers that misbehave at some rows. Every row gets an answer, and nothing hangs. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { IsolatingClassifier } from '../../src/classifier/isolating.ts'
import { openClassifier } from '../../src/classifier/open.ts'
import { type Batch, Batcher } from '../../src/core/batcher.ts'
import type { Rejected, Result, RowsHead, Values } from '../../src/model.ts'
import { decode, encodeRows } from '../../src/wire/codec.ts'
import { decodeHead } from '../../src/wire/rows-head.ts'
import { testFolder } from '../helpers/cli.ts'
import { ManualTime } from '../helpers/manual-time.ts'
import { jobRecord } from '../helpers/pipeline.ts'
import { descendants, untilGone } from '../helpers/processes.ts'
import { PYTHON } from './serial.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures/bad_rows.py')
const JOB = jobRecord({ columns: ['ID', 'A'], indexKind: 'integer', blockRows: 1000 })

/** Batches of `size` rows, in messages of three. The rows in `bad` contain their misbehaviour. */
function batches(count: number, size: number, bad: readonly number[]): Batch[] {
  const batcher = new Batcher(0)
  const rows: Values[] = Array.from({ length: count }, (_, seq) => [`${seq}`, bad.includes(seq) ? 'bad' : 'good'])
  for (let seq = 0; seq < count; seq += 3) {
    const run = rows.slice(seq, seq + 3)
    const place = { job: 'j', epoch: 0, from: 0, seq, count: run.length, line: seq + 2, lineSteps: null }
    const bytes = encodeRows({ ...place, rows: run })
    batcher.addRows(seq, { head: decodeHead(bytes).value as RowsHead, bytes }, seq)
  }
  const cut: Batch[] = []
  for (let batch = batcher.cutBatch(size); batch; batch = batcher.cutBatch(size)) cut.push(batch)
  return cut
}

interface Outcome {
  /** The mark of each row; null: rejected. */
  readonly marks: (string | null)[]
  readonly rejected: Rejected[]
  readonly said: string[]
  readonly starts: number
}

interface Settings {
  readonly timeoutMs?: number | null
  readonly memoryMB?: number | null
  readonly target?: string
}

/**
 * Classifies rows 0 to 39 in batches of ten, two at a time as a worker does. Time passes only while the classifier says
 * that it hangs, so a slow machine makes no other call too long.
 */
async function classify(
  t: TestContext,
  name: string,
  bad: readonly number[],
  settings: Settings = {},
): Promise<Outcome> {
  const { timeoutMs = null, memoryMB = null, target = `${FIXTURE}:${name}` } = settings
  const said: string[] = []
  let starts = 0
  let isOver = false
  const time = new ManualTime()
  const onOutput = async (text: string) => {
    if (!text.includes('it hangs')) return
    // In small steps: the answer to the call before it may still be on its way.
    for (const now = starts; starts === now && !isOver; ) await time.pass(10)
  }
  const classifier = new IsolatingClassifier({
    open: () => {
      starts++
      return openClassifier({ target, python: PYTHON, by: 'w', memoryMB, onOutput })
    },
    ...{ timeoutMs, by: 'w', say: message => said.push(message), time },
  })
  t.after(() => {
    isOver = true
    return classifier.close()
  })
  await classifier.start()
  const answers = await Promise.all(batches(40, 10, bad).map(batch => classifier.classify(batch, JOB)))
  const marks: (string | null)[] = []
  for (const message of answers.flatMap(({ results }) => results)) {
    const result = decode(message).value as Result
    assert.equal(result.first, marks.length, 'results are in the order of their positions')
    assert.equal(result.classifier.length, 8)
    if (result.rejected.length > 0) marks.push(...result.rejected.map(() => null))
    else marks.push(...result.rows.map(row => row.at(-1)!))
  }
  await classifier.close()
  return { marks, rejected: answers.flatMap(({ rejected }) => rejected), said, starts }
}

const without = (...bad: number[]) => Array.from({ length: 40 }, (_, seq) => (bad.includes(seq) ? null : 'ok'))

for (const [name, reason, detail] of [
  ['throws', 'CLASSIFIER_FAILED', /failed on row 13.*no bad rows here/s],
  ['drops', 'CLASSIFIER_CONTRACT', /0 rows for 1/],
  ['adds', 'CLASSIFIER_CONTRACT', /2 rows for 1/],
  ['gives_a_number', 'CLASSIFIER_CONTRACT', /int/],
  ['leaves', 'CLASSIFIER_FAILED', /SystemExit/],
] as const) {
  test(`a classifier that ${name.replaceAll('_', ' ')}: only the bad rows are rejected, without a restart`, async t => {
    const { marks, rejected, starts } = await classify(t, name, [13, 14, 38])
    assert.deepEqual(marks, without(13, 14, 38))
    assert.deepEqual(
      rejected.map(({ seq, line, values }) => [seq, line, values]),
      [13, 14, 38].map(seq => [seq, seq + 2, [`${seq}`, 'bad']]),
    )
    assert.equal(rejected[0]!.reason, reason)
    assert.match(rejected[0]!.detail, detail)
    assert.equal(starts, 1)
  })
}

for (const [name, reason, detail, settings] of [
  ['exits', 'CLASSIFIER_DIED', /exit code 3/, {}],
  ['segfaults', 'CLASSIFIER_DIED', /signal SIGSEGV/, {}],
  ['closes', 'CLASSIFIER_DIED', /ended with/, {}],
  ['hangs', 'CLASSIFIER_TIMEOUT', /longer than --batch-timeout 1 /, { timeoutMs: 1000 }],
] as const) {
  test(`a classifier that ${name}: restarts until only the bad row is rejected`, async t => {
    const { marks, rejected, starts, said } = await classify(t, name, [13], settings)
    assert.deepEqual(marks, without(13))
    assert.deepEqual([rejected[0]!.seq, rejected[0]!.reason], [13, reason])
    assert.match(rejected[0]!.detail, detail)
    // The batch runs three times, then halves of 5, 3 (or 2), 2 and 1 rows, and the single row twice more.
    assert.ok(starts >= 3 + 3 + 2 && starts <= 3 + 4 + 3, `${starts} starts`)
    assert.equal(said.length, starts - 1)
    await untilGone(descendants(process.pid).filter(({ name }) => name.startsWith('python')))
  })
}

test('a topic that takes no result of a whole batch gets several, and that is no fault of the classifier', async t => {
  const refusedTogether: Batch[] = []
  const classifier = new IsolatingClassifier({
    open: () =>
      openClassifier({ target: `${FIXTURE}:throws`, python: PYTHON, by: 'w', memoryMB: null, onOutput: () => {} }),
    ...{ timeoutMs: null, by: 'w', say: () => {}, mostBytes: () => 150, endsIfRefusedTogether: true },
    onRefusedTogether: batch => refusedTogether.push(batch),
  })
  t.after(() => classifier.close())
  await classifier.start()
  const [batch] = batches(10, 10, [])
  const { results, rejected } = await classifier.classify(batch!, JOB)
  assert.deepEqual([rejected, refusedTogether], [[], []])
  assert.ok(results.length > 1 && results.every(({ length }) => length <= 150))
  assert.equal(
    results.reduce((sum, message) => sum + (decode(message).value as Result).rows.length, 0),
    10,
  )
})

test('a failure that happens once costs no row', async t => {
  process.env['ONCE_FILE'] = join(testFolder(t), 'once')
  const { marks, starts } = await classify(t, 'exits_once', [13])
  assert.ok(existsSync(process.env['ONCE_FILE']))
  assert.deepEqual(marks, without())
  assert.equal(starts, 2)
})

test('memory above the limit is an error of the row that asks for it', async t => {
  const { marks, rejected } = await classify(t, 'takes_memory', [13], { memoryMB: 1024 })
  assert.deepEqual(marks, without(13))
  assert.match(rejected[0]!.detail, /MemoryError/)
})

for (const name of ['forks', 'prints', 'reverses']) {
  test(`a classifier that ${name} gives every row its own answer`, async t => {
    const { marks } = await classify(t, name, [13])
    assert.deepEqual(marks, name === 'reverses' ? without(13).map(mark => mark ?? 'ok') : without())
  })
}

test('a cell of ten million characters is an ordinary cell', async t => {
  const { marks } = await classify(t, 'large_cell', [13])
  assert.deepEqual(
    marks.map(mark => mark?.length),
    without().map((_, seq) => (seq === 13 ? 10_000_000 : 2)),
  )
})

test('a TypeScript classifier that throws, ends its thread or never returns loses only its bad row', async t => {
  const target = (name: string) => join(import.meta.dirname, `../fixtures/bad-rows.ts:${name}`)
  for (const [name, reason, settings] of [
    ['throws', 'CLASSIFIER_FAILED', {}],
    ['exits', 'CLASSIFIER_DIED', {}],
    ['hangs', 'CLASSIFIER_TIMEOUT', { timeoutMs: 1000 }],
    ['takesMemory', 'CLASSIFIER_DIED', { memoryMB: 100 }],
  ] as const) {
    const { marks, rejected } = await classify(t, name, [13], { ...settings, target: target(name) })
    assert.deepEqual(marks, without(13), name)
    assert.deepEqual([rejected[0]!.seq, rejected[0]!.reason], [13, reason])
  }
})
