import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import type { Judged } from '../../src/probe/prober.ts'
import type { Sample } from '../../src/probe/sample.ts'
import { JobProbe } from '../../src/work/job-probe.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const ALIKE: Judged = { fault: null, unstable: [], calls: 3, seconds: 1, rowSeconds: 0.01 }
const FAULT: Judged = { ...ALIKE, fault: { message: 'column X differs', seq: 7, line: 9, column: 'X' } }
const JOB = jobRecord()

const met = (kind: string, seq: number) => ({
  columns: ['X'],
  kinds: [kind],
  rows: [{ row: ['1'], seq, line: null }],
})

/** A probe that answers when the test says so. */
function probed({ closes = false } = {}) {
  const samples: Sample[] = []
  const answers: PromiseWithResolvers<Judged>[] = []
  const said: string[] = []
  let closed = 0
  const open = () => ({
    judge: (_: unknown, sample: Sample) => {
      samples.push(sample)
      answers.push(Promise.withResolvers<Judged>())
      return answers.at(-1)!.promise
    },
    close: async () => {
      closed++
      answers.at(-1)?.reject(new RowmillError('CLASSIFIER_DIED', 'its process ended with SIGKILL'))
    },
  })
  const probe = new JobProbe({ say: text => said.push(text), open, closes })
  return { probe, samples, answers, said, closed: () => closed }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('the end of a job waits for the verdict, and both questions get it', async () => {
  const { probe, answers, said, closed } = probed({ closes: true })
  assert.equal(await probe.meet(JOB, met('integer', 0)), null)
  assert.equal(await probe.end(JOB), null)
  const asked = probe.meet(JOB, met('text', 7))
  const ended = probe.end(JOB)
  await turn()
  answers[0]!.resolve(FAULT)
  for (const error of [await asked, await ended, await probe.end(JOB)]) {
    assert.deepEqual([error!.code, error!.facts], ['BATCH_DEPENDENT', { seq: 7, line: 9, column: 'X' }])
    assert.match(error!.message, /^in a probe of 2 rows, column X differs\. The classifier looks at other rows/)
  }
  assert.deepEqual([said, closed()], [[], 1])
})

test('kinds that come during a question are asked about together, once', async () => {
  const { probe, samples, answers } = probed()
  await probe.meet(JOB, met('integer', 0))
  const first = probe.meet(JOB, met('text', 10))
  await turn()
  const later = ['boolean', 'empty'].map((kind, i) => probe.meet(JOB, met(kind, 20 + i)))
  answers[0]!.resolve(ALIKE)
  assert.equal(await first, null)
  await turn()
  answers[1]!.resolve(ALIKE)
  assert.deepEqual(await Promise.all(later), [null, null])
  assert.deepEqual(
    samples.map(({ seqs }) => seqs),
    [
      [0, 10],
      [0, 10, 20, 21],
    ],
  )
})

test('the end of a job waits for the verdict on its first rows, which are asked about once', async () => {
  const { probe, samples, answers } = probed()
  const rows = [4, 3].map(seq => ({ row: [`${seq}`], seq, line: seq + 2 }))
  const asked = [probe.first(JOB, { rows, known: [] }), probe.first(JOB, { rows, known: [] })]
  const ended = probe.end(JOB)
  assert.equal(await asked[1], null)
  await turn()
  answers[0]!.resolve(FAULT)
  assert.deepEqual([(await asked[0])!.code, (await ended)!.code], ['BATCH_DEPENDENT', 'BATCH_DEPENDENT'])
  assert.deepEqual(samples, [{ rows: [['3'], ['4']], seqs: [3, 4], lines: [5, 6] }])
})

test('jobs do not share kinds, nor do attempts', async () => {
  const { probe, samples } = probed()
  await probe.meet(JOB, met('integer', 0))
  assert.equal(await probe.meet({ ...JOB, id: 'other' }, met('text', 0)), null)
  assert.equal(await probe.meet({ ...JOB, attempt: 1 }, met('text', 0)), null)
  assert.deepEqual(samples, [])
})

test('a probe that fails is told, and ends no job', async () => {
  const { probe, answers, said } = probed()
  await probe.meet(JOB, met('integer', 0))
  const asked = probe.meet(JOB, met('text', 10))
  await turn()
  answers[0]!.reject(new RowmillError('CLASSIFIER_DIED', 'its process ended with exit code 9'))
  assert.equal(await asked, null)
  const text = 'the probe of job j ended without a verdict, and the job continues: its process ended with exit code 9'
  assert.deepEqual(said, [text])
})

test('a job waits for a verdict, says so, and gives up after 60 s', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { probe, said } = probed()
  await probe.meet(JOB, met('integer', 0))
  void probe.meet(JOB, met('text', 10))
  const ended = [probe.end(JOB), probe.end(JOB)]
  await turn()
  t.mock.timers.tick(1000)
  assert.deepEqual(said.splice(0), ['job j: every row is classified; the job ends after the probe (--probe)'])
  t.mock.timers.tick(60_000)
  assert.deepEqual(await Promise.all(ended), [null, null])
  assert.match(said.join(), /^the probe of job j .* continues: it took longer than 60 s after the last row$/)
})

test('a probe that is closed with its command tells nothing', async () => {
  const { probe, said } = probed()
  await probe.meet(JOB, met('integer', 0))
  const asked = probe.meet(JOB, met('text', 10))
  await turn()
  await probe.close()
  assert.equal(await asked, null)
  assert.deepEqual(said, [])
})

test('a job that loses its verdict because the workers leave says so', async () => {
  const { probe, said } = probed()
  const rows = [0, 1].map(seq => ({ row: [`${seq}`], seq, line: null }))
  const asked = probe.first(JOB, { rows, known: [] })
  await turn()
  await probe.close('the workers leave')
  assert.equal(await asked, null)
  const text = 'the probe of job j ended without a verdict, and the job continues: the workers leave'
  assert.deepEqual(said, [text])
})
