import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RowmillError } from '../../src/errors.ts'
import type { EndOfInput } from '../../src/model.ts'
import { anyJob, copy, deal, isResult, type Log, logsOf, Reading } from '../helpers/result-logs.ts'

const anyDice = fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 })

test('in any interleaving, every row comes out once, in order, and as its first copy', () => {
  fc.assert(
    fc.property(anyJob, anyDice, (job, dice) => {
      const reading = new Reading(job, logsOf(job))
      reading.any(dice)
      assert.ok(reading.reassembler.complete)
    }),
    { numRuns: 500 },
  )
})

test('reading only the wanted partition gives all rows, and never asks an exhausted one', () => {
  fc.assert(
    fc.property(anyJob, job => {
      const reading = new Reading(job, logsOf(job))
      reading.wanted()
      assert.equal(reading.model.inOrder.length, job.total)
    }),
    { numRuns: 500 },
  )
})

test('from any stopping point another reassembler hands out exactly the rest', () => {
  fc.assert(
    fc.property(anyJob, fc.array(fc.nat(1000), { maxLength: 60 }), (job, dice) => {
      const logs = logsOf(job)
      const whole = new Reading(job, logs)
      whole.wanted()
      const reading = new Reading(job, logs)
      reading.some(dice)
      assert.deepEqual([...reading.out, ...reading.rest(logs)], whole.out)
    }),
    { numRuns: 500 },
  )
})

/** The error of the reading. The rows that came out before are a part of the right rows, and stay so. */
function failure(reading: Reading, read: () => void): RowmillError {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof RowmillError, String(error))
    reading.take()
    return error
  }
  return assert.fail('no fault was found')
}

test('a row whose results are lost is a gap with the first missing row, and no later row comes out', () => {
  fc.assert(
    fc.property(anyJob, fc.nat(), fc.option(anyDice), (anything, number, dice) => {
      const job = { ...anything, total: anything.total + 1 }
      const lost = number % job.total
      const hands = deal(job, job.total)
      const partition = hands.findIndex(seqs => seqs.includes(lost))
      const position = hands[partition]!.indexOf(lost)
      const logs = logsOf(job)
      logs[partition] = logs[partition]!.filter(
        item => !isResult(item) || item.first > position || item.first + item.count <= position,
      )
      let expected = 0
      for (const item of logs[partition]) {
        if (isResult(item) ? item.first > expected : true) break
        if (isResult(item)) expected = Math.max(expected, item.first + item.count)
      }
      const reading = new Reading(job, logs)
      const error = failure(reading, () => (dice ? reading.any(dice) : reading.wanted()))
      assert.equal(error.code, 'ROW_GAP')
      assert.equal(reading.reassembler.complete, false)
      const row = hands[partition]![expected]
      assert.deepEqual({ ...error.facts, found: 0 }, { job: 'j', partition, row, expected, found: 0 })
      assert.ok(reading.model.inOrder.length <= row! && row! <= lost)
    }),
    { numRuns: 500 },
  )
})

/** The log of one partition with `item` put before or after its end of input. */
function insert(logs: Log[], partition: number, item: Log[number], place: 'before' | 'after'): Log[] {
  const at = logs[partition]!.findIndex(each => !isResult(each)) + (place === 'before' ? 0 : 1)
  return logs.with(partition, logs[partition]!.toSpliced(at, 0, item))
}

const anyPlace = fc.constantFrom('before' as const, 'after' as const)

test('an end of input that contradicts another, its partition or the arithmetic is malformed', () => {
  const changes = fc.constantFrom<(end: EndOfInput) => Partial<EndOfInput>>(
    ({ rows }) => ({ rows: rows - 1 }),
    ({ rows }) => ({ rows: rows + 1 }),
    ({ partition }) => ({ partition: partition + 1 }),
  )
  fc.assert(
    fc.property(anyJob, fc.nat(), changes, anyPlace, anyDice, (job, which, change, place, dice) => {
      const partition = which % job.partitions
      const logs = logsOf(job)
      const end = logs[partition]!.find(item => !isResult(item)) as EndOfInput
      const reading = new Reading(job, insert(logs, partition, { ...end, ...change(end) }, place))
      assert.equal(failure(reading, () => reading.any(dice)).code, 'ROW_MALFORMED')
    }),
    { numRuns: 500 },
  )
})

test('an end of input with another total is malformed, even if its own partition would agree', () => {
  fc.assert(
    fc.property(anyJob, fc.nat(), fc.nat(130), anyDice, (job, which, total, dice) => {
      fc.pre(total !== job.total)
      const partition = which % job.partitions
      const logs = logsOf(job)
      const end = logs[partition]!.find(item => !isResult(item)) as EndOfInput
      const rows = deal(job, total)[partition]!.length
      const reading = new Reading(job, insert(logs, partition, { ...end, total, rows }, 'after'))
      assert.equal(failure(reading, () => reading.any(dice)).code, 'ROW_MALFORMED')
    }),
  )
})

test('a row above the end of input is malformed, whichever comes first', () => {
  const sizes = { over: fc.integer({ min: 1, max: 6 }), back: fc.nat(6) }
  fc.assert(
    fc.property(anyJob, fc.nat(), fc.record(sizes), anyPlace, anyDice, (job, which, { over, back }, place, dice) => {
      const partition = which % job.partitions
      const seqs = deal(job, job.total + job.partitions * (job.blockRows + over))[partition]!
      const rows = deal(job, job.total)[partition]!.length
      const first = Math.max(0, rows - back)
      const above = copy(seqs, { first, size: rows + over - first, rejects: 0, attempt: job.attempt, by: 'above' })
      const reading = new Reading(job, insert(logsOf(job), partition, above, place))
      const error = failure(reading, () => reading.any(dice))
      assert.equal(error.code, 'ROW_MALFORMED')
      if (place === 'after') assert.match(error.message, new RegExp(`row ${seqs[rows + over - 1]} comes after the end`))
    }),
    { numRuns: 500 },
  )
})
