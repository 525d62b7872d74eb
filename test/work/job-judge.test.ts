/** A worker and the verdicts on its jobs, over a Kafka in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchDependent } from '../../src/core/batch-dependent.ts'
import type { RowmillError } from '../../src/errors.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { classified, Exclaimer, numbered } from '../helpers/exclaimer.ts'
import { readTopic } from '../helpers/pipeline.ts'

const LAYOUT = { partitions: 2, blockRows: 5 }
type Verdict = PromiseWithResolvers<RowmillError | null>

test('a job is complete only after the verdict on it, and the rows of later jobs do not wait', async t => {
  const { running } = await fakePipeline(t, LAYOUT)
  const verdict: Verdict = Promise.withResolvers()
  const [asked, waits] = [[] as string[], Promise.withResolvers<void>()]
  const judge = {
    batch: () => [],
    end: ({ id }: { id: string }) => {
      asked.push(id)
      if (asked.filter(other => other === 'first').length === LAYOUT.partitions) waits.resolve()
      return id === 'first' ? verdict.promise : Promise.resolve(null)
    },
  }
  await running.work(new Exclaimer(), { judge })
  await running.publish('first', [numbered(20)])
  await waits.promise
  const collecting = running.collect('first')
  await running.publish('second', [numbered(30)])
  assert.deepEqual((await running.collect('second')).written, classified(numbered(30)))
  assert.equal(await Promise.race([collecting, Promise.resolve('waits')]), 'waits')
  verdict.resolve(null)
  assert.deepEqual((await collecting).written, classified(numbered(20)))
})

test('a verdict against a job fails it at its end, once, and it gets no end', async t => {
  const { running, topics } = await fakePipeline(t, LAYOUT)
  const fault = batchDependent('column X differs')
  await running.work(new Exclaimer(), { judge: { batch: () => [], end: async () => fault } })
  await running.publish('j', [numbered(20)])
  const failed = { code: 'BATCH_DEPENDENT', message: /^job j: column X differs\. The classifier looks/ }
  await assert.rejects(running.collect('j'), failed)
  const results = await readTopic(running.kafka, topics.results, LAYOUT.partitions)
  assert.ok(results.flat().every(({ kind }) => kind === 'result'))
})

test('a verdict on a batch fails the job at once', async t => {
  const { running } = await fakePipeline(t, LAYOUT)
  const fault = Promise.resolve(batchDependent('column X differs'))
  await running.work(new Exclaimer(), { judge: { batch: () => [fault], end: () => null } })
  await running.publish('j', [numbered(20)])
  await assert.rejects(running.collect('j'), { code: 'BATCH_DEPENDENT', message: /^job j: column X differs/ })
})
