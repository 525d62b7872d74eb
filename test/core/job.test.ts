import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attemptOf, foldJob, jobFailure, jsonOptionOf } from '../../src/core/job.ts'
import type { Job, JobState, Reason } from '../../src/model.ts'

const FIRST: Job = {
  id: 'j',
  epoch: 0,
  attempt: 0,
  state: 'open',
  reason: null,
  columns: ['ID', '__proto__'],
  sequenced: true,
  bounded: true,
  partitions: 2,
  blockRows: 3,
  topic: 'p.rows',
  from: 0,
  total: null,
  rowsFrom: [4, 5],
  resultsFrom: [6, 7],
  source: { name: 'in.csv', size: 10, mtimeMs: 1.5 },
  indexKind: 'integer',
  options: [{ name: 'toCsv', value: '{}' }],
  at: 1,
  by: 'first',
}
const taken = { epoch: 1, by: 'second' }
const reason = (message: string): Reason => ({ code: 'CLASSIFIER_FAILED', place: 'row 1', message })
const fold = (...records: Partial<Job>[]): Job =>
  records.reduce<Job | undefined>((before, record) => foldJob(before, { ...FIRST, ...record }), undefined)!

const STATES: readonly JobState[] = ['open', 'ended', 'failed', 'cancelled']

/** Each record comes from attempt 5 and epoch 5, plus these differences. */
const WRITERS = {
  current: [{}],
  'newer epoch': [{ epoch: 6 }, { epoch: 6, attempt: 4 }],
  'older epoch': [{ epoch: 4 }],
  'later attempt': [{ attempt: 6 }, { attempt: 6, epoch: 6 }],
  'earlier attempt': [{ attempt: 4 }, { attempt: 4, epoch: 4 }],
} as const

/**
 * By writer and state before: the outcome when the record says open, ended, failed or cancelled. `-`: it is ignored.
 */
const TABLE: Readonly<Record<keyof typeof WRITERS, Readonly<Record<JobState, string>>>> = {
  current: {
    open: 'open ended failed cancelled',
    ended: 'ended ended failed cancelled',
    failed: '- - - -',
    cancelled: '- - - -',
  },
  'newer epoch': {
    open: 'open ended failed cancelled',
    ended: '- - - -',
    failed: '- - - -',
    cancelled: '- - - -',
  },
  'older epoch': {
    open: '- - failed cancelled',
    ended: '- - failed cancelled',
    failed: '- - - -',
    cancelled: '- - - -',
  },
  'later attempt': {
    open: 'open ended failed cancelled',
    ended: 'open ended failed cancelled',
    failed: 'open ended failed cancelled',
    cancelled: 'open ended failed cancelled',
  },
  'earlier attempt': {
    open: '- ended - -',
    ended: '- - - -',
    failed: '- - - -',
    cancelled: '- - - -',
  },
}

for (const writer of Object.keys(WRITERS) as (keyof typeof WRITERS)[]) {
  test(`every state of a job and every record of the ${writer}: what follows`, () => {
    for (const state of STATES) {
      const expected = TABLE[writer][state].split(' ')
      for (const [i, said] of STATES.entries()) {
        for (const from of WRITERS[writer]) {
          const before: Job = { ...FIRST, attempt: 5, epoch: 5, state, by: 'before' }
          const record: Job = { ...before, ...from, state: said, by: 'record' }
          const after = foldJob(before, record)
          const where = `${state}, then ${said} of ${JSON.stringify(from)}`
          if (expected[i] === '-') assert.equal(after, before, where)
          else assert.equal(after.state, expected[i], where)
          const counts = expected[i] !== '-' && writer !== 'earlier attempt'
          assert.equal(after.by, counts ? 'record' : 'before', where)
          assert.equal(after.attempt, counts ? Math.max(5, record.attempt) : 5, where)
          assert.equal(after.epoch, counts ? Math.max(5, record.epoch) : 5, where)
        }
      }
    }
  })
}

test('the first record of a job is the job', () => {
  assert.deepEqual(foldJob(undefined, FIRST), FIRST)
})

test('header, layout, source and options of the first record never change, not even in a later attempt', () => {
  const other: Partial<Job> = {
    attempt: 1,
    epoch: 1,
    columns: ['X'],
    sequenced: false,
    bounded: false,
    partitions: 9,
    blockRows: 9,
    topic: 'other',
    rowsFrom: [],
    resultsFrom: [],
    source: null,
    indexKind: 'text',
    options: [],
  }
  const after = fold({}, other)
  assert.deepEqual(after, { ...FIRST, attempt: 1, epoch: 1 })
})

test('the first of several failures of an attempt counts', () => {
  const failures = ['one', 'two'].map((message, i) => ({
    state: 'failed' as const,
    reason: reason(message),
    by: `worker ${i}`,
  }))
  const after = fold({}, ...failures, { state: 'cancelled', by: 'a person' }, { state: 'ended', total: 3 })
  assert.equal(after.state, 'failed')
  assert.deepEqual(after.reason, reason('one'))
  assert.equal(after.by, 'worker 0')
})

test('a cancelled job stays cancelled if it fails or ends afterwards', () => {
  const after = fold({}, { state: 'cancelled', by: 'a person' }, { state: 'failed', reason: reason('late') })
  assert.deepEqual([after.state, after.reason, after.by], ['cancelled', null, 'a person'])
})

test('a job may fail after its rows have ended', () => {
  assert.equal(fold({}, { state: 'ended', total: 3 }, { state: 'failed', reason: reason('gap') }).state, 'failed')
})

test('a later attempt opens a failed job again, and can fail for a reason of its own', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const reopened = fold({}, failed, { attempt: 1 })
  assert.deepEqual([reopened.state, reopened.reason, reopened.attempt], ['open', null, 1])
  const again = fold({}, failed, { attempt: 1 }, { ...failed, attempt: 1, reason: reason('two') })
  assert.deepEqual([again.state, again.reason], ['failed', reason('two')])
})

test('a late failure of an earlier attempt does not fail the later one', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const after = fold({}, failed, { attempt: 1 }, { ...failed, attempt: 0, reason: reason('late') })
  assert.deepEqual([after.state, after.reason, after.attempt], ['open', null, 1])
})

test('a publisher that knows only of an earlier attempt can still end the job', () => {
  const failed = { state: 'failed' as const, reason: reason('one') }
  const ended = fold({}, failed, { attempt: 1 }, { state: 'ended', total: 3 })
  assert.deepEqual([ended.state, ended.total, ended.attempt], ['ended', 3, 1])
  const over = fold({}, failed, { ...failed, attempt: 1 }, { state: 'ended', total: 3 })
  assert.equal(over.state, 'failed')
})

test('an ended job stays ended when its opening is repeated, and keeps its total', () => {
  const after = fold({}, { state: 'ended', total: 3, at: 2 }, { at: 3 })
  assert.deepEqual([after.state, after.total, after.at], ['ended', 3, 3])
})

test('a newer epoch sets the seq where it resumes, and an older one does not reset it', () => {
  assert.equal(fold({}, { epoch: 1, from: 12 }).from, 12)
  const after = fold({}, { epoch: 1, from: 12 }, { epoch: 0, from: 0 })
  assert.deepEqual([after.epoch, after.from], [1, 12])
})

test('a newer epoch reopens neither a failed job nor an ended one', () => {
  const failed = fold({}, { state: 'failed', reason: reason('one') }, taken)
  assert.deepEqual([failed.state, failed.reason], ['failed', reason('one')])
  const ended = fold({}, { state: 'ended', total: 3 }, taken)
  assert.deepEqual([ended.state, ended.total, ended.epoch], ['ended', 3, 0])
})

test('a producer that lost the job can neither end nor open it, but its workers can fail it', () => {
  const after = fold({}, taken, { state: 'ended', total: 3 }, { by: 'first' })
  assert.deepEqual([after.state, after.total, after.epoch, after.by], ['open', null, 1, 'second'])
  const failed = fold({}, taken, { state: 'failed', reason: reason('one') })
  assert.deepEqual([failed.state, failed.epoch], ['failed', 1])
})

test('a JSON option is parsed, has a default, and is a USAGE error if it is not JSON', () => {
  const options = [
    { name: 'cast', value: '[["A","int64"]]' },
    { name: 'toCsv', value: '{' },
  ]
  assert.deepEqual(jsonOptionOf({ options }, 'cast', '[]'), [['A', 'int64']])
  assert.deepEqual(jsonOptionOf({ options }, 'readCsv', '{}'), {})
  assert.throws(() => jsonOptionOf({ id: 'j', options }, 'toCsv', '{}'), {
    code: 'USAGE',
    message: 'the option toCsv of job j is not JSON: "{"',
  })
})

test('a failed job ends everyone with its reason, or with the one who ended it', () => {
  const failed = jobFailure({ ...FIRST, attempt: 2, state: 'failed', reason: reason('no') })
  assert.deepEqual([failed.code, failed.message], ['CLASSIFIER_FAILED', 'no'])
  assert.deepEqual(failed.facts, { job: 'j', attempt: 2, place: 'row 1', told: true })
  assert.equal(jobFailure({ ...FIRST, state: 'cancelled', by: 'a person' }).code, 'JOB_CANCELLED')
  assert.equal(jobFailure({ ...FIRST, state: 'failed' }).code, 'JOB_FAILED')
})

test('attempts of one job have different keys', () => {
  assert.notEqual(attemptOf(FIRST), attemptOf({ ...FIRST, attempt: 1 }))
})
