import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusLines } from '../../../src/cli/status/status-lines.ts'
import type { EventView } from '../../../src/watch/view.ts'
import { aJob, aView, MADE_AT } from '../../helpers/made-view.ts'

const at = (seconds: number) => MADE_AT + seconds * 1000
const rows = (classified: number) => ({ ...aJob().rows, classified, written: null })
const anEvent = (number: number, parts: Partial<EventView> = {}): EventView => ({
  ...{ number, at: MADE_AT, kind: 'worker-restarted', job: null, worker: 'w', text: `event ${number}` },
  ...parts,
})

test('a log gets a line when the phase changes, and while rows move one in five seconds', () => {
  const lines = new StatusLines('orders')
  const told = (seconds: number, parts: Parameters<typeof aJob>[0]) =>
    lines.of(aView({ at: at(seconds), jobs: [aJob({ id: 'other' }), aJob(parts)] }))
  assert.deepEqual(told(0, { rows: rows(500) }), [
    '2026-03-01 02:00:00 UTC job orders is running: all rows are published, 50 % classified, about 50 s left; published 1,000, classified 500, rejected 0, now 10 rows/s',
  ])
  assert.deepEqual(told(1, { rows: rows(510) }), [])
  assert.deepEqual(told(4, { rows: rows(520) }), [])
  assert.equal(told(5, { rows: rows(530) }).length, 1)
  assert.deepEqual(told(60, { rows: rows(530) }), [], 'nothing moved')
  const stalled = { phase: 'stalled', movedAt: at(5), rows: rows(530) } as const
  const waitsFor = {
    reason: 'no-worker',
    row: 5,
    partition: 1,
    worker: null,
    since: null,
    text: 'no worker runs',
  } as const
  const help = { why: 'start one', command: 'rowmill work' }
  assert.match(
    told(65, { ...stalled, waitsFor, help })[0]!,
    /^2026-03-01 02:01:05 UTC job orders is stalled: rows wait, and nothing moved for 1 min 0 s; no worker runs; .*; to help: rowmill work$/,
  )
  assert.deepEqual(told(66, { ...stalled, waitsFor: { ...waitsFor, text: 'still none' } }), [])
  assert.equal(told(67, { ...stalled, waitsFor: { ...waitsFor, reason: 'rebalance' } }).length, 1)
  assert.match(
    told(68, { phase: 'complete', rows: rows(1000) })[0]!,
    /job orders is complete; published 1,000, classified 1,000, rejected 0$/,
  )
})

test('without a job there are lines for each that is open, and for the end of each', () => {
  const lines = new StatusLines(null)
  const [a, b] = [aJob({ id: 'a' }), aJob({ id: 'b', phase: 'complete' })]
  assert.deepEqual(
    lines.of(aView({ jobs: [a, b] })).map(line => / job (\w+) /.exec(line)![1]),
    ['a'],
  )
  assert.match(lines.of(aView({ jobs: [aJob({ id: 'a', phase: 'complete' }), b] })).join(), /job a is complete/)
})

test('events are told once, those of other jobs never, and an outage when it begins and ends', () => {
  const lines = new StatusLines('orders')
  const jobs = [aJob({ phase: 'complete' })]
  lines.of(aView({ jobs, events: [anEvent(0)] }))
  const view = aView({
    jobs,
    events: [anEvent(0), anEvent(1), anEvent(2, { job: 'other' }), anEvent(3, { job: 'orders' })],
  })
  const texts = (shown: typeof view) => lines.of(shown).map(line => line.replace(/^.* UTC /, ''))
  assert.deepEqual(texts(view), ['event 1', 'event 3'])
  assert.deepEqual(texts({ ...view, unreachableSince: MADE_AT }), ['no broker of 127.0.0.1:9092 answers'])
  assert.deepEqual(texts({ ...view, unreachableSince: MADE_AT }), [])
  assert.deepEqual(texts(view), ['the brokers answer again'])
})
