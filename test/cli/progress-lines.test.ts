import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProgressLine, ProgressLines } from '../../src/cli/progress-lines.ts'
import { ManualTime } from '../helpers/manual-time.ts'

function progressLines() {
  const lines: ProgressLine[] = []
  const time = new ManualTime()
  const subject: { command: string; job?: string } = { command: 'run' }
  const progress = new ProgressLines(
    line => lines.push(line),
    () => subject,
    time,
  )
  return { lines, time, subject, progress }
}

test('a line comes every second from the beginning on, and the last one says how the command ended', async () => {
  const { lines, time, subject, progress } = progressLines()
  await time.pass(1000)
  subject.job = 'orders'
  progress.show({ published: 300, classified: 200, written: 90, rejected: 10, total: 1000 })
  await time.pass(1000)
  progress.end({ exitCode: 5, code: 'REJECTS_OVER_BUDGET' })
  progress.end({ exitCode: 0, code: null })
  await time.pass(3000)
  const [first, second, last] = lines
  assert.equal(lines.length, 3)
  assert.deepEqual([first!.job, first!.stage, first!.published, first!.done], [null, 'waiting', null, false])
  assert.deepEqual(
    [second!.job, second!.published, second!.classified, second!.written, second!.rejected, second!.total],
    ['orders', 300, 200, 90, 10, 1000],
  )
  assert.deepEqual([first!.elapsedSeconds, second!.elapsedSeconds], [1, 2])
  assert.deepEqual([last!.stage, last!.done, last!.exitCode, last!.code], ['failed', true, 5, 'REJECTS_OVER_BUDGET'])
})

test('the stage is the first one that is not through', async () => {
  const { lines, time, progress } = progressLines()
  const rows = { published: 0, classified: 0, written: 0, rejected: 0, total: 9 }
  const steps = [
    [rows, 'waiting'],
    [{ ...rows, published: 3, classified: 3, total: null }, 'publishing'],
    [{ ...rows, published: 3, classified: 3 }, 'publishing'],
    [{ ...rows, published: 9, classified: 3 }, 'classifying'],
    [{ ...rows, published: 9, classified: 9, written: 3 }, 'writing'],
    [{ published: 0, total: 9 }, 'waiting'],
    [{ published: 3, total: 9 }, 'publishing'],
    [{ classified: 0, written: 0, total: null }, 'waiting'],
    [{ classified: 3, written: 3, total: null }, 'classifying'],
    [{ classified: 9, written: 3, total: 9 }, 'writing'],
  ] as const
  for (const [progress_] of steps) {
    progress.show(progress_)
    await time.pass(1000)
  }
  assert.deepEqual(
    lines.map(({ stage }) => stage),
    steps.map(([, stage]) => stage),
  )
  progress.end({ exitCode: 4, code: null })
  assert.equal(lines.at(-1)!.stage, 'complete')
})

test('nothing is left to do when every row is written or rejected', async () => {
  const { lines, time, progress } = progressLines()
  progress.show({ published: 10, classified: 10, written: 8, rejected: 2, total: 10 })
  await time.pass(1000)
  assert.equal(lines[0]!.etaSeconds, 0)
})
