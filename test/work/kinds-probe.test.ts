import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowmillError } from '../../src/errors.ts'
import type { Judged } from '../../src/probe/probe.ts'
import type { Sample } from '../../src/probe/sample.ts'
import { KindsProbe } from '../../src/work/kinds-probe.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const ALIKE: Judged = { fault: null, unstable: [], calls: 3, seconds: 1 }
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
  const kinds = new KindsProbe({ say: text => said.push(text), open, closes })
  return { kinds, samples, answers, said, closed: () => closed }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('the end of a job waits for the verdict, and both questions get it', async () => {
  const { kinds, answers, said, closed } = probed({ closes: true })
  assert.equal(await kinds.meet(JOB, met('integer', 0)), null)
  assert.equal(await kinds.end(JOB), null)
  const asked = kinds.meet(JOB, met('text', 7))
  const ended = kinds.end(JOB)
  await turn()
  answers[0]!.resolve(FAULT)
  for (const error of [await asked, await ended, await kinds.end(JOB)]) {
    assert.deepEqual([error!.code, error!.facts], ['BATCH_DEPENDENT', { seq: 7, line: 9, column: 'X' }])
    assert.match(error!.message, /^in a probe of 2 rows, column X differs\. The classifier looks at other rows/)
  }
  assert.deepEqual([said, closed()], [[], 1])
})

test('kinds that come during a question are asked about together, once', async () => {
  const { kinds, samples, answers } = probed()
  await kinds.meet(JOB, met('integer', 0))
  const first = kinds.meet(JOB, met('text', 10))
  await turn()
  const later = ['boolean', 'empty'].map((kind, i) => kinds.meet(JOB, met(kind, 20 + i)))
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

test('jobs do not share kinds, nor do attempts', async () => {
  const { kinds, samples } = probed()
  await kinds.meet(JOB, met('integer', 0))
  assert.equal(await kinds.meet({ ...JOB, id: 'other' }, met('text', 0)), null)
  assert.equal(await kinds.meet({ ...JOB, attempt: 1 }, met('text', 0)), null)
  assert.deepEqual(samples, [])
})

test('a probe that fails is told, and ends no job', async () => {
  const { kinds, answers, said } = probed()
  await kinds.meet(JOB, met('integer', 0))
  const asked = kinds.meet(JOB, met('text', 10))
  await turn()
  answers[0]!.reject(new RowmillError('CLASSIFIER_DIED', 'its process ended with exit code 9'))
  assert.equal(await asked, null)
  const text =
    'the probe of the kinds of job j ended without a verdict, and the job continues: its process ended with exit code 9'
  assert.deepEqual(said, [text])
})

test('a job waits for a verdict, says so, and gives up after 60 s', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { kinds, said } = probed()
  await kinds.meet(JOB, met('integer', 0))
  void kinds.meet(JOB, met('text', 10))
  const ended = [kinds.end(JOB), kinds.end(JOB)]
  await turn()
  t.mock.timers.tick(1000)
  assert.deepEqual(said.splice(0), ['job j: every row is classified; the job ends after the probe (--probe)'])
  t.mock.timers.tick(60_000)
  assert.deepEqual(await Promise.all(ended), [null, null])
  assert.match(said.join(), /^the probe of the kinds .* continues: it took longer than 60 s after the last row$/)
})

test('a probe that is closed with its command tells nothing', async () => {
  const { kinds, said } = probed()
  await kinds.meet(JOB, met('integer', 0))
  const asked = kinds.meet(JOB, met('text', 10))
  await turn()
  await kinds.close()
  assert.equal(await asked, null)
  assert.deepEqual(said, [])
})
