/** When a worker takes a batch of another one, and what travels between them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { BatchClassifier } from '../../src/classifier/boundary.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import { Batcher } from '../../src/core/batcher.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Job, RowsHead } from '../../src/model.ts'
import { testJob } from '../../src/testing/test-job.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import type { AssignedPartition } from '../../src/work/assigned-partition.ts'
import { Calls } from '../../src/work/calls.ts'
import { type FromDesk, packBatch, type ToDesk, unpackAnswer, unpackBatch } from '../../src/work/lending-messages.ts'
import { Exclaimer, numbered } from '../helpers/exclaimer.ts'

const JOB = testJob({ columns: ['ID', 'TEXT'], rows: numbered(20) }, { partitions: 1, blockRows: 10 })
const AT = { attempt: 3, at: { topic: 'rows', partition: 0 } }
const HEAD: RowsHead = { job: JOB.id, epoch: 0, from: 0, seq: 0, count: 10, line: 2, lineSteps: null }

/** A batch of the last 4 rows of one message and the first of the next. */
function batchOfTwo() {
  const batcher = new Batcher(0)
  const [first, second] = [HEAD, { ...HEAD, seq: 10, line: 12 }]
  batcher.addRows(0, { head: first, bytes: encodeRows({ ...first, rows: numbered(10) }) }, 0)
  batcher.addRows(1, { head: second, bytes: encodeRows({ ...second, rows: numbered(10, 10) }) }, 10)
  batcher.cutBatch(6)
  return batcher.cutBatch(5)!
}

interface LenderOptions {
  readonly classifier?: BatchClassifier
  readonly waiting?: number
  readonly job?: Job | undefined
}

/** A worker that may be lent. `ask` gives it a batch and resolves with its answer. */
function lender({ classifier = decoding(new Exclaimer(), 'lender'), waiting = 0, ...more }: LenderOptions = {}) {
  const said: ToDesk[] = []
  const fatal: unknown[] = []
  let told: (message: FromDesk) => void = () => {}
  const calls = new Calls({
    ...{ classifier, batchRows: 5, shared: false },
    lending: { tell: message => said.push(message), listen: listener => (told = listener) },
    findJob: () => ('job' in more ? more.job : JOB),
    partitions: () => [{ waiting } as AssignedPartition],
    freed: () => {},
    failed: fault => fatal.push(fault),
  })
  const ask = async () => {
    told(JSON.parse(JSON.stringify({ type: 'lent', id: 9, batch: packBatch(batchOfTwo(), AT) })))
    while (said.length + fatal.length === 0) await turn()
    const [answered] = said
    return answered?.type === 'answered' ? answered.answer : assert.fail('it gave no answer')
  }
  return { calls, ask, fatal }
}

test('a batch is the same batch after its way to the lender', () => {
  const batch = batchOfTwo()
  const arrived = unpackBatch(JSON.parse(JSON.stringify(packBatch(batch, AT))))
  const shown = ({ parts, ...rest }: typeof batch) => ({
    ...rest,
    parts: parts.map(({ entry: { offset }, message: { head, bytes }, skip, count }) => {
      return { offset, head, bytes: Buffer.from(bytes).toString('hex'), skip, count }
    }),
  })
  assert.deepEqual(shown(arrived), shown(batch))
})

test('the results of a lent batch are the bytes that the owner would have made, with the name of the lender', async () => {
  const own = await decoding(new Exclaimer(), 'lender').classify(batchOfTwo(), { ...JOB, attempt: 3 })
  const answer = await lender().ask()
  assert.deepEqual(unpackAnswer(JSON.parse(JSON.stringify(answer))), own)
})

test('a lender declines while rows of its own wait', async () => {
  assert.equal(await lender({ waiting: 1 }).ask(), null)
})

test('a lender declines if it has not read the record of the job, or the job has failed', async () => {
  assert.equal(await lender({ job: undefined }).ask(), null)
  assert.equal(await lender({ job: { ...JOB, state: 'failed' } }).ask(), null)
})

test('a lender that drains answers the batch it has, and declines the next', async () => {
  const go = Promise.withResolvers<void>()
  const { calls, ask } = lender({ classifier: decoding(new Exclaimer(() => go.promise), 'lender') })
  const answer = ask()
  const drained = calls.drain()
  assert.equal(await Promise.race([drained.then(() => 'drained'), turn('open')]), 'open')
  go.resolve()
  await drained
  assert.ok(await answer)
  const gone = lender()
  await gone.calls.drain()
  assert.equal(await gone.ask(), null)
})

test('a lender whose classifier fails gives the batch back, and ends only if it is of no use at all', async () => {
  const failing = (code: 'USAGE' | 'PYTHON_UNUSABLE') =>
    decoding(
      new Exclaimer(async () => {
        throw new RowmillError(code, 'no')
      }),
      'lender',
    )
  const refuses = lender({ classifier: failing('USAGE') })
  assert.equal(await refuses.ask(), null)
  assert.deepEqual(refuses.fatal, [])
  const useless = lender({ classifier: failing('PYTHON_UNUSABLE') })
  await assert.rejects(useless.ask(), /gave no answer/)
  assert.equal(useless.fatal.length, 1)
})
