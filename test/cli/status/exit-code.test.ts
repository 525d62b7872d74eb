import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exitOf } from '../../../src/cli/status/exit-code.ts'
import type { JobPhase } from '../../../src/watch/view.ts'
import { aJob, aView } from '../../helpers/made-view.ts'

const exitOfPhases = (...phases: JobPhase[]) =>
  exitOf(aView({ jobs: phases.map((phase, at) => aJob({ id: `job-${at}`, phase })) }), null)

test('the exit code of a job: 0 complete, 4 with rejects, 7 not complete, 8 stalled, 9 failed or cancelled', () => {
  const rejected = { ...aJob().rows, rejected: 1 }
  const of = (parts: Parameters<typeof aJob>[0]) => exitOf(aView({ jobs: [aJob(parts)] }), 'orders')
  assert.deepEqual([of({ phase: 'complete' }), of({ phase: 'complete', rows: rejected })], [0, 4])
  for (const phase of ['waiting', 'publishing', 'classifying', 'writing'] as const)
    assert.equal(of({ phase, rows: rejected }), 7)
  assert.deepEqual([of({ phase: 'stalled' }), of({ phase: 'failed' }), of({ phase: 'cancelled' })], [8, 9, 9])
})

test('without a job open ones decide, a stalled one first; where none is open, the latest does', () => {
  assert.equal(exitOfPhases(), 0)
  assert.equal(exitOfPhases('failed', 'classifying', 'complete'), 7)
  assert.equal(exitOfPhases('stalled', 'classifying', 'failed'), 8)
  assert.equal(exitOfPhases('failed', 'complete'), 0)
  assert.equal(exitOfPhases('complete', 'failed'), 9)
})

test('a run that has not opened its job is not complete', () => {
  assert.equal(exitOf(aView({ jobs: [aJob({ id: 'other', phase: 'complete' })] }), 'orders'), 7)
})
