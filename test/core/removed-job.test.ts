import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldJob, hasFailed, jobFailure } from '../../src/core/job.ts'
import { isRemoved, removalRecord } from '../../src/core/removed-job.ts'
import { decode, encodeJob } from '../../src/wire/codec.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const JOB = jobRecord({ columns: ['ID', 'TEXT'], options: [{ name: 'toCsv', value: '{}' }] })
const REMOVAL = removalRecord(JOB, { rowsFrom: [7], at: 5, by: 'jobs rm', who: 'rowmill jobs rm on host-1' })

test('a removal takes the place of its job in every state, and no later record changes it', () => {
  for (const state of ['open', 'ended', 'failed', 'cancelled'] as const) {
    const removed = foldJob({ ...JOB, state }, REMOVAL)
    assert.deepEqual(removed, REMOVAL, state)
    assert.ok(isRemoved(removed))
    for (const later of [{}, { attempt: 1 }, { epoch: 9 }, { state: 'ended' as const }])
      assert.equal(foldJob(removed, { ...JOB, ...later }), removed)
  }
  assert.ok(!isRemoved({ ...JOB, state: 'cancelled' }))
})

test('a removal travels as a job record, also alone: it is a cancellation that says who removed the job', () => {
  const { kind, value } = decode(encodeJob(REMOVAL))
  assert.equal(kind, 'job')
  assert.deepEqual(value, REMOVAL)
  assert.ok(hasFailed(REMOVAL))
  const { code, message } = jobFailure(REMOVAL)
  assert.deepEqual([code, message], ['JOB_CANCELLED', 'job j was removed by rowmill jobs rm on host-1'])
})
