import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job } from '../../src/model.ts'
import { beginnings, type Interest, isCommitted, isCovered, neededJobs, shownJobs } from '../../src/watch/interest.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const AT = 1_000_000_000
const MINUTE = 60_000

const job = (id: string, more: Partial<Job> = {}): Job =>
  jobRecord({ id, partitions: 2, rowsFrom: [0, 0], resultsFrom: [0, 0], state: 'ended', at: AT, ...more })
const opened = (of: Job, openedAt = AT - MINUTE) => ({ job: of, openedAt, openedBy: of.by })

test('the open jobs and the latest others are shown, 100 in all, in the order in which they were opened', () => {
  const jobs = Array.from({ length: 150 }, (_, i) => opened(job(`j${i}`, i % 50 === 0 ? { state: 'open' } : {})))
  const shown = shownJobs(jobs, null).map(each => each.job.id)
  assert.equal(shown.length, 100)
  assert.deepEqual([shown[0], shown[1], shown[2]], ['j0', 'j50', 'j52'])
  assert.equal(shown.at(-1), 'j149')
  const open = Array.from({ length: 150 }, (_, i) => opened(job(`j${i}`, { state: 'open' })))
  assert.deepEqual(shownJobs(open, null).length, 100)
  assert.deepEqual(
    shownJobs(jobs, 'j7').map(each => each.job.id),
    ['j7'],
  )
  const removed = job('gone', { state: 'cancelled', options: [{ name: 'removed', value: 'true' }] })
  assert.deepEqual(shownJobs([opened(removed)], null), [])
})

test('a job is committed when the workers passed the end of the log, or the rows of a job opened well after it', () => {
  const a = opened(job('a', { rowsFrom: [5, 5] }))
  const isDone = (committed: number, later: ReturnType<typeof opened>[] = [], of = a) =>
    isCommitted(of, [of, ...later], () => ({ end: 100, committed }))
  assert.deepEqual([isDone(99), isDone(100)], [false, true])
  const b = job('b', { rowsFrom: [50, 50], state: 'open' })
  assert.deepEqual([isDone(49, [opened(b, AT + 2 * MINUTE)]), isDone(50, [opened(b, AT + 2 * MINUTE)])], [false, true])
  assert.equal(isDone(50, [opened(b, AT + 1000)]), false, 'clocks may differ by so much')
  assert.equal(isDone(50, [opened({ ...b, topic: 'other' }, AT + 2 * MINUTE)]), false)
  assert.equal(isDone(100, [], opened(job('a', { state: 'open' }))), false)
  assert.equal(isDone(100, [], opened(job('a', { attempt: 1 }))), false)
  assert.equal(
    isCommitted(a, [a], () => null),
    false,
  )
})

test('reading begins at the oldest job that is needed, and at the end where none is', () => {
  const [a, b] = [job('a', { resultsFrom: [5, 7] }), job('b', { resultsFrom: [6, 2, 9] })]
  assert.deepEqual(beginnings([a, b], [100, 100, 100, 100]), [5, 2, 9, 100])
  const events = job('e', { resultsFrom: [50, 50], sequenced: false })
  assert.deepEqual(beginnings([events], [100, 100, 100]), [50, 50, 0])
  assert.deepEqual([isCovered(a, [5, 7, 9]), isCovered(a, [5, 8]), isCovered(b, [5, 2, 9])], [true, false, true])
})

test('the results of a job that is counted are read only if it is asked for, or is the latest and did not fail', () => {
  const [a, b] = [opened(job('a')), opened(job('b'))]
  const failed = opened(job('c', { state: 'failed' }))
  const needed = (jobs: (typeof a)[], more: Partial<Interest>, isCounted: (job: Job) => boolean = () => true) =>
    neededJobs(jobs, isCounted, { only: null, countsLatest: true, ...more }).map(each => each.job.id)
  assert.deepEqual(needed([a, b], {}), ['b'])
  assert.deepEqual(needed([a, b], { countsLatest: false }), [])
  assert.deepEqual(
    needed([a, b], { countsLatest: false }, ({ id }) => id === 'b'),
    ['a'],
  )
  assert.deepEqual(needed([a, b, failed], {}), [])
  assert.deepEqual(needed([failed], { only: 'c' }), ['c'])
})
