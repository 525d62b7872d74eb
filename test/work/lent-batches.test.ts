/** What becomes of lent batches whose rows are rejected, of reopened jobs, and of jobs that are probed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { ClassifiedBatch, ClassifierBatch } from '../../src/classifier/boundary.ts'
import { RowmillError } from '../../src/errors.ts'
import { reopen } from '../../src/jobs/reopen.ts'
import type { Reject, Result } from '../../src/model.ts'
import type { Judged } from '../../src/probe/prober.ts'
import type { Sample } from '../../src/probe/sample.ts'
import { decode } from '../../src/wire/codec.ts'
import { ProbingJudge } from '../../src/work/job-judge.ts'
import { JobProbe } from '../../src/work/job-probe.ts'
import type { PartitionLog } from '../fakes/partition-log.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { twoAtADesk } from '../helpers/two-at-a-desk.ts'

function recordsOf(log: PartitionLog) {
  const { messages } = log.read(0, { maxBytes: Number.MAX_SAFE_INTEGER, atLeastOne: true })
  return messages.map(({ value }) => decode(value!))
}

function resultsBy(log: PartitionLog, by: string): Result[] {
  return recordsOf(log).flatMap(({ kind, value }) => (kind === 'result' && value.by === by ? [value] : []))
}

const isBad = (id: string) => Number(id) % 10 === 3

test('rows that a lender rejects are rejected as those of the owner: each has its place and one copy', async t => {
  const { running, log, topics, time, work } = await twoAtADesk(t)
  const refusing = () =>
    new Exclaimer(async ({ rows }) => {
      await time.sleep(100 * rows.length)
      const bad = rows.find(([id]) => isBad(id!))
      if (bad) throw new RowmillError('CLASSIFIER_FAILED', `no ${bad[0]}`)
    })
  await work('owner', refusing(), { isolates: true })
  await work('lender', refusing(), { isolates: true })
  await running.publish('j', [numbered(100)], [{ name: 'maxRejects', value: '10' }])
  const { written, rejected } = await running.collect('j')
  const good = numbered(100).filter(([id]) => !isBad(id!))
  const bad = numbered(100).filter(([id]) => isBad(id!))
  assert.deepEqual(written, classified(good))
  assert.deepEqual(
    rejected.map(({ values }) => values),
    bad,
  )
  const byLender = resultsBy(log('results'), 'lender').flatMap(result => result.rejected)
  assert.ok(byLender.length > 0, 'the lender rejected no row')
  const copies = recordsOf(log('rejects')).map(({ value }) => value as Reject)
  assert.deepEqual(
    copies.map(({ seq, line, values, reason, detail }) => [seq, line, values, reason, detail]).sort(),
    bad.map(row => [Number(row[0]), Number(row[0]) + 2, row, 'CLASSIFIER_FAILED', `no ${row[0]}`]).sort(),
  )
  for (const { topic, partition, offset, attempt, by, seq } of copies)
    assert.deepEqual([topic, partition, offset, attempt, by], [topics.rows, 0, Math.floor(seq! / 5), 0, 'owner'])
})

test('of a reopened job, lent batches are results of its last attempt', async t => {
  const { running, log, taking, work } = await twoAtADesk(t)
  const failing = new Exclaimer(async (_, number) => {
    if (number === 3) throw new RowmillError('CLASSIFIER_FAILED', 'no')
  })
  const failed = await running.work(failing, { name: 'failed', batchRows: 5 })
  await running.publish('j', [numbered(100)])
  await assert.rejects(running.collect('j'), { code: 'CLASSIFIER_FAILED' })
  await failed.drain()
  await work('owner', taking(100))
  await work('lender', taking(100))
  assert.equal((await reopen(running.context, 'j', 'test'))!.job.attempt, 1)
  assert.deepEqual((await running.collect('j')).written, classified(numbered(100)))
  const attempts = resultsBy(log('results'), 'lender').map(({ attempt }) => attempt)
  assert.ok(attempts.length > 0, 'nothing was lent')
  assert.deepEqual([...new Set(attempts)], [1])
})

/** Says that all cells of a column are text, although it leaves them as they are: it looks at something else than its rows. */
class Texts extends Exclaimer {
  override async classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    return { ...(await super.classify(batch)), kinds: ['text', 'text'] }
  }
}

for (const depends of [true, false])
  test(`kinds that a lender met first are asked about by the owner, and the job ${depends ? 'fails if they depend on the batch' : 'ends after the verdict'}`, async t => {
    const { running, log, time, taking, work } = await twoAtADesk(t)
    const asked: Sample[] = []
    const verdict = Promise.withResolvers<Judged>()
    const probe = new JobProbe({
      say: () => {},
      open: () => ({
        judge: (_, sample) => {
          asked.push(sample)
          return verdict.promise
        },
        close: async () => {},
      }),
      closes: false,
    })
    const ofOwner = new ProbingJudge({
      ask: (job, question) => {
        if (question === null) return probe.end(job)
        return 'first' in question ? probe.first(job, question.first) : probe.meet(job, question.met)
      },
      ...{ most: 0, batchRows: 5 },
    })
    const ofLender = new ProbingJudge({ ask: () => assert.fail('it is not its batch'), most: 0, batchRows: 5 })
    await work('owner', taking(100), { judge: ofOwner })
    const texts = new Texts(({ rows }) => time.sleep(100 * rows.length))
    await work('lender', texts, { judge: ofLender })
    await running.publish('j', [numbered(100)])
    const collecting = running.collect('j')
    while (resultsBy(log('results'), 'owner').length + resultsBy(log('results'), 'lender').length < 20) await turn()
    const [first] = resultsBy(log('results'), 'lender')
    const isEnded = recordsOf(log('results')).some(({ kind }) => kind === 'end')
    const fault = depends ? { message: 'column ID differs', seq: first!.first, line: null, column: 'ID' } : null
    verdict.resolve({ fault, unstable: [], calls: 3, seconds: 1, rowSeconds: 0.01 })
    assert.ok(!isEnded, 'the end of input waits for the verdict')
    assert.equal(asked.length, 1)
    assert.ok(asked[0]!.seqs.includes(first!.first), 'its rows are those of the batch that brought the kind')
    if (depends) await assert.rejects(collecting, { code: 'BATCH_DEPENDENT', message: /column ID differs/ })
    else assert.deepEqual((await collecting).written, classified(numbered(100)))
  })
