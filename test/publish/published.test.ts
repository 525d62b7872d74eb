/** A source learns that its rows were published, and is never told so of a job that failed. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Source, SourceRows } from '../../src/connector.ts'
import type { PublishOptions } from '../../src/publish/publish-options.ts'
import { publish } from '../../src/publish/publisher.ts'
import { fakePipeline } from '../fakes/pipeline.ts'
import { HEADER, sourceOf } from '../helpers/exclaimer.ts'

const ROWS = [
  ['1', 'x'],
  ['2', 'y'],
] as const

const REREADABLE = { ...HEADER, identity: { name: 'in.csv', size: 9, mtimeMs: 2 } }

/** Publishes a source that writes each call into `calls`. */
async function publishing(t: TestContext) {
  const { running } = await fakePipeline(t, { partitions: 2, blockRows: 10 })
  const { kafka, pipeline, jobs, layout } = running
  const calls: string[] = []
  const { signal } = new AbortController()
  const context = { kafka, pipeline, jobs, say: () => {}, signal }
  const given = { header: REREADABLE, job: 'j', layout, options: [], by: 'publish' }
  const run = (source: Partial<Source>, more: Partial<PublishOptions> = {}) =>
    publish(context, watched({ ...sourceOf([ROWS]), ...source }, calls), { ...given, ...more })
  return { calls, run, jobs }
}

function watched(source: Source, calls: string[]): Source {
  return {
    ...source,
    async *rows() {
      calls.push('rows')
      yield* source.rows()
      calls.push('end of rows')
    },
    async published() {
      calls.push('published')
      await source.published?.()
    },
  }
}

test('a source is told once, after the end of its job is in Kafka', async t => {
  const { calls, run, jobs } = await publishing(t)
  let state: string | undefined
  const published = async () => {
    state = (await jobs.latest('j'))?.state
  }
  assert.equal(await run({ published }), 2)
  assert.deepEqual([calls, state], [['rows', 'end of rows', 'published'], 'ended'])
})

test('a source whose input breaks, and one whose id is taken, are not told', async t => {
  const { calls, run } = await publishing(t)
  async function* rows(): AsyncGenerator<SourceRows> {
    yield { rows: ROWS, lines: [2, 3] }
    throw new Error('broken')
  }
  await assert.rejects(run({ rows }), /broken/)
  assert.deepEqual(calls, ['rows'])
  await run({}, { job: 'k' })
  calls.length = 0
  await assert.rejects(run({}, { job: 'k', header: HEADER }), { code: 'JOB_EXISTS' })
  assert.deepEqual(calls, [])
})

test('a source of a job that was published before is told again, and one that throws leaves the job published', async t => {
  const { calls, run, jobs } = await publishing(t)
  const published = () => Promise.reject(new Error('the queue is gone'))
  await assert.rejects(run({ published }), /the queue is gone/)
  assert.equal((await jobs.latest('j'))?.state, 'ended')
  calls.length = 0
  assert.equal(await run({}), 2)
  assert.deepEqual(calls, ['published'])
})
