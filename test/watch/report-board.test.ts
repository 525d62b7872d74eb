import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReportBoard } from '../../src/watch/report-board.ts'
import { madeReport, NOW } from './made-facts.ts'

const states = (board: ReportBoard, now: number) =>
  board.heard(now).map(({ report, state }) => `${report.process} ${state}`)

test('a process is silent when its next report is late, and gone when it said so or was silent for ten minutes', () => {
  const board = new ReportBoard()
  board.take(madeReport(), NOW)
  assert.deepEqual(states(board, NOW + 11_000), ['host-7 running'])
  assert.deepEqual(states(board, NOW + 13_000), ['host-7 silent'])
  board.take(madeReport({ isLast: true }), NOW + 14_000)
  assert.deepEqual(states(board, NOW + 15_000), ['host-7 gone'])
  assert.deepEqual(states(board, NOW + 615_000), [])
})

test('no process is silent by time in which no report could be read, or before a broker answered again', () => {
  const board = new ReportBoard()
  board.take(madeReport(), NOW)
  const stateWith = (from: number, upTo: number) => board.heard(NOW + 60_000, { from, upTo })[0]!.state
  assert.equal(stateWith(0, NOW + 12_000), 'running')
  assert.equal(stateWith(0, NOW + 12_001), 'silent')
  assert.equal(stateWith(NOW + 50_000, NOW + 60_000), 'running')
  assert.equal(stateWith(NOW + 40_000, NOW + 60_000), 'silent')
})

test('the last report of a process counts, and an earlier one that comes late does not', () => {
  const board = new ReportBoard()
  board.take(madeReport({ isLast: true }), NOW)
  board.take(madeReport(), NOW - 1000)
  assert.deepEqual(states(board, NOW), ['host-7 gone'])
})

test('a count that grows is a move of its job, and one that stands still is none', () => {
  const board = new ReportBoard()
  const publishing = (published: number) => madeReport({ publishing: { job: 'j', published, total: null } })
  assert.equal(board.movedAt('publishing', 'j'), null)
  board.take(publishing(5), NOW)
  board.take(publishing(5), NOW + 1000)
  assert.equal(board.movedAt('publishing', 'j'), NOW)
  board.take(publishing(6), NOW + 2000)
  assert.deepEqual([board.movedAt('publishing', 'j'), board.movedAt('collecting', 'j')], [NOW + 2000, null])
})

test('thousands of processes and jobs take bounded memory: the latest 1,000 are kept', () => {
  const board = new ReportBoard()
  for (let i = 0; i < 3000; i++) {
    const collecting = { job: `j${i}`, written: 1, rejected: 0, duplicates: 0, waiting: null }
    board.take(madeReport({ process: `p${i}`, collecting }), NOW + i)
  }
  assert.equal(board.heard(NOW + 3000).length, 1000)
  assert.deepEqual([board.movedAt('collecting', 'j0'), board.movedAt('collecting', 'j2999')], [null, NOW + 2999])
})
