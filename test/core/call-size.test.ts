import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallSize } from '../../src/core/call-size.ts'

/** Messages of one row each: nothing to split. */
const ROWS = { count: 1, cut: 0 }

/** A classifier that takes this long, and gets its next batch before it has answered the last. */
class Clock {
  readonly pace: CallSize
  now = 1000
  #sentAt = 1000

  constructor(callMs: number) {
    this.pace = new CallSize(callMs)
  }

  /** Has `calls` batches classified, as large as the call size says; returns the rows of the last. */
  classify(job: string, calls: number, ms: (rows: number) => number, maxRows = 100): number {
    let rows = 0
    for (let call = 0; call < calls; call++) {
      rows = this.pace.rowsAtOnce(job, ROWS, maxRows)
      this.answer(job, rows, ms(rows))
    }
    return rows
  }

  answer(job: string, count: number, ms: number): void {
    const sentAt = this.#sentAt
    this.#sentAt = this.now // the next one goes into the pipe when this one begins
    this.now += ms
    this.pace.answered({ job, count }, sentAt, this.now)
  }
}

test('the first call of a job is small, and the second takes about as long as a call may', () => {
  const clock = new Clock(200)
  assert.equal(clock.pace.rowsAtOnce('j', ROWS, 100), 20)
  assert.equal(clock.pace.rowsAtOnce('j', ROWS, 7), 7)
  clock.classify('j', 1, rows => 5 * rows)
  assert.equal(clock.pace.rowsAtOnce('j', ROWS, 100), 40)
  assert.equal(clock.pace.rowsAtOnce('k', ROWS, 100), 20, 'another job may be another matter')
})

test('a fast classifier gets the maximum, a slow one a row at a time', () => {
  assert.equal(
    new Clock(200).classify('j', 3, rows => 4 + rows / 100),
    100,
  )
  assert.equal(
    new Clock(200).classify('j', 3, () => 0),
    100,
  )
  assert.equal(
    new Clock(200).classify('j', 3, rows => 900 * rows),
    1,
  )
})

test('the fixed cost of a call is learned along with the cost of its rows', () => {
  const rows = new Clock(200).classify('j', 20, rows => 50 + 2 * rows)
  assert.ok(Math.abs(50 + 2 * rows - 200) <= 4, `${rows} rows`)
})

test('a classifier that becomes slower, or faster, is followed within some calls', () => {
  const clock = new Clock(200)
  clock.classify('j', 20, rows => 4 * rows)
  assert.ok(clock.classify('j', 15, rows => 20 * rows) <= 12)
  assert.ok(clock.classify('j', 40, rows => 4 * rows) >= 45)
})

test('one slow call, such as one that died, does not make the next ones much smaller', () => {
  const clock = new Clock(200)
  clock.classify('j', 20, rows => 4 * rows)
  clock.answer('j', 50, 1500)
  assert.ok(clock.pace.rowsAtOnce('j', ROWS, 100) >= 20)
})

test('a call that waited for the one before it counts only its own time', () => {
  const pace = new CallSize(200)
  pace.answered({ job: 'j', count: 10 }, 0, 100)
  pace.answered({ job: 'j', count: 10 }, 1, 200)
  pace.answered({ job: 'k', count: 10 }, 2, 300)
  assert.equal(pace.rowsAtOnce('j', ROWS, 100), 20)
  assert.equal(pace.rowsAtOnce('k', ROWS, 100), 20)
  pace.answered({ job: 'l', count: 0 }, 3, 400) // a job without rows
  assert.equal(pace.rowsAtOnce('l', ROWS, 100), 20)
  pace.answered({ job: 'l', count: 10 }, 5000, 5050) // idle before
  assert.equal(pace.rowsAtOnce('l', ROWS, 100), 40)
})

test('answers that come two at a time give the same size as one by one', () => {
  const pace = new CallSize(50)
  for (let pair = 0; pair < 20; pair++) {
    for (let i = 0; i < 2; i++) pace.answered({ job: 'j', count: 10 }, pair * 100, (pair + 1) * 100)
  }
  const rows = pace.rowsAtOnce('j', ROWS, 100) // 5 ms a row
  assert.ok(rows >= 8 && rows <= 13, `${rows} rows`)
})

test('a worker that runs for years keeps no jobs', () => {
  const pace = new CallSize(200)
  for (let job = 0; job < 1500; job++) pace.answered({ job: `${job}`, count: 10 }, job * 10, job * 10 + 10)
  assert.equal(pace.rowsAtOnce('400', ROWS, 1000), 20)
  assert.equal(pace.rowsAtOnce('600', ROWS, 1000), 200)
})

test('calls hold whole messages, or equal parts of one', () => {
  const pace = new CallSize(200)
  const take = (rows: number, counts: readonly number[]) => {
    const job = `${rows}`
    pace.answered({ job, count: rows }, 0, 0)
    const calls: number[] = []
    const left = [...counts]
    for (let cut = 0; left.length > 0; ) {
      let call = pace.rowsAtOnce(job, { count: left[0]!, cut }, rows)
      calls.push(call)
      for (; left.length > 0 && call >= left[0]! - cut; cut = 0) call -= left.shift()! - cut
      cut += call
    }
    return calls
  }
  assert.deepEqual(take(100, [100, 100]), [100, 100])
  assert.deepEqual(take(95, [100, 100]), [50, 50, 50, 50])
  assert.deepEqual(take(66, [100]), [50, 50])
  assert.deepEqual(take(30, [100]), [25, 25, 25, 25])
  assert.deepEqual(take(13, [100]), [13, 13, 13, 13, 12, 12, 12, 12])
  assert.deepEqual(take(3, [4, 4]), [2, 2, 2, 2])
  assert.deepEqual(
    take(
      66,
      Array.from({ length: 18 }, () => 7),
    ),
    [63, 63],
  )
  assert.equal(pace.rowsAtOnce('66', { count: 100, cut: 20 }, 66), 40)
  assert.equal(pace.rowsAtOnce('66', { count: 100, cut: 40 }, 66), 60)
})
