import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FoundRun } from '../../../src/cli/found-run.ts'
import { describeRun, endOfRun, viewOfRun } from '../../../src/cli/status/run-of-status.ts'
import { identifySelf } from '../../../src/support/process-identity.ts'
import type { JobView, WaitReason } from '../../../src/watch/view.ts'
import { testFolder } from '../../helpers/cli.ts'
import { aJob, aView } from '../../helpers/made-view.ts'

const RUNNING: FoundRun = {
  ...{
    output: '/out.csv',
    job: 'orders',
    pipeline: 'rowmill',
    changedAt: 0,
    cluster: null,
    resume: 'rowmill run --resume /out.csv',
  },
  ...{ host: hostname(), process: identifySelf() },
}
const ENDED: FoundRun = { ...RUNNING, process: { pid: process.pid, start: 'another time' } }
const HELP = { why: 'kill it', command: 'kill -9 7' }

function jobOf(run: FoundRun, parts: Partial<JobView>): JobView {
  return viewOfRun(aView({ jobs: [aJob({ help: HELP, ...parts })] }), run).jobs[0]!
}

const waiting = (reason: WaitReason) => ({ reason, row: 5, partition: 0, worker: null, since: null, text: 'why' })

test('a run that runs starts its own workers, so nothing helps there but to end one that hangs', () => {
  const frozen = jobOf(RUNNING, { waitsFor: waiting('worker-silent') })
  assert.deepEqual([frozen.waitsFor?.reason, frozen.help], ['worker-silent', HELP])
  assert.equal(jobOf(RUNNING, { waitsFor: waiting('publisher-silent') }).help, null)
  const silent = jobOf(RUNNING, { waitsFor: waiting('no-worker') })
  assert.deepEqual([silent.waitsFor?.reason, silent.help], ['no-worker', null])
})

test('a run whose process has ended is stalled, and is resumed with its own command', () => {
  const { phase, etaSeconds, waitsFor, help } = jobOf(ENDED, {})
  assert.deepEqual([phase, etaSeconds, help?.command], ['stalled', null, ENDED.resume])
  assert.match(waitsFor!.text, /the process of rowmill run that writes \/out\.csv has ended/)
  const failed = jobOf(ENDED, { phase: 'failed' })
  assert.deepEqual([failed.phase, failed.help?.command], ['failed', ENDED.resume])
  assert.equal(jobOf(ENDED, { id: 'other' }).help, HELP)
})

test('a run without topics is starting or was interrupted', () => {
  assert.deepEqual(describeRun(RUNNING), { text: 'The run of /out.csv is starting.', command: null, exit: 7 })
  const { command, exit } = describeRun(ENDED)
  assert.deepEqual([command, exit], [ENDED.resume, 8])
})

test('a run whose file is gone is complete if it wrote OUT, with 4 if rows were rejected', t => {
  const output = join(testFolder(t), 'out.csv')
  const run = { ...RUNNING, output }
  assert.equal(endOfRun(run, null).exit, 9)
  writeFileSync(output, '')
  assert.equal(endOfRun(run, null).exit, 0)
  const rejected = aView({ jobs: [aJob({ rows: { ...aJob().rows, rejected: 1 } })] })
  assert.equal(endOfRun(run, rejected).exit, 4)
  assert.equal(
    endOfRun({ ...run, changedAt: Date.now() + 60_000 }, rejected).exit,
    9,
    'it is the file of an earlier run',
  )
})
