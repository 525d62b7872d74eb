import assert from 'node:assert/strict'
import { test } from 'node:test'
import { untilLast } from '../../../src/cli/status/follow.ts'
import type { PipelineView } from '../../../src/watch/view.ts'
import { aJob, aView, MadeSource } from '../../helpers/made-view.ts'

const isComplete = ({ jobs }: PipelineView) => jobs[0]!.phase === 'complete'
const open = new AbortController().signal

test('every view is shown, up to the last one', async () => {
  const source = new MadeSource()
  const shown: PipelineView[] = []
  const following = untilLast(source, { show: view => shown.push(view), isLast: isComplete, signal: open })
  const [running, complete] = [aView(), aView({ jobs: [aJob({ phase: 'complete' })] })]
  source.show(running)
  source.show(complete)
  source.show(running)
  assert.equal(await following, complete)
  assert.deepEqual(shown, [running, complete])
  assert.equal(source.listeners, 0)
})

test('it ends with the error of what shows, and with the reason of its signal', async () => {
  const source = new MadeSource()
  const fails = () => {
    throw new Error('no such job')
  }
  const failing = untilLast(source, { show: fails, isLast: isComplete, signal: open })
  source.show(aView())
  await assert.rejects(failing, { message: 'no such job' })
  const stop = new AbortController()
  const stopped = untilLast(source, { show: () => {}, isLast: isComplete, signal: stop.signal })
  stop.abort(new Error('interrupted'))
  await assert.rejects(stopped, { message: 'interrupted' })
  assert.equal(source.listeners, 0)
})
