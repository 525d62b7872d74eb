import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AttemptLog, type AttemptMessage, MergedAttempts } from '../../src/core/merged-attempts.ts'
import type { EndOfInput, Result } from '../../src/model.ts'
import { DoneRows } from '../../src/results/done-rows.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** One attempt: how its results are cut, which rows it rejects, where it fails, and which stale results it repeats. */
const anyAttempt = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  rejects: fc.array(fc.nat(39), { maxLength: 8 }),
  /** The number of results after which it fails; the last attempt never does. */
  failsAfter: fc.nat(8),
  /** Whether its last results are repeated after later ones. */
  zombie: fc.boolean(),
})
const anyCase = fc.record({
  total: fc.integer({ min: 1, max: 40 }),
  attempts: fc.array(anyAttempt, { minLength: 1, maxLength: 4 }),
  start: fc.nat(40),
  patience: fc.integer({ min: 1, max: 5 }),
})

type Entry = Result | EndOfInput
const isResult = (entry: Entry): entry is Result => 'count' in entry

function resultOf(attempt: number, first: number, count: number, rejects: readonly number[]): Result {
  const positions = Array.from({ length: count }, (_, i) => first + i)
  const rejected = positions.flatMap((position, index) =>
    rejects.includes(position)
      ? [{ index, seq: position, line: null, reason: 'R', detail: `${attempt}`, values: [] }]
      : [],
  )
  const rows = positions.filter(position => !rejects.includes(position)).map(position => [`${attempt}/${position}`])
  return resultRecord({ attempt, first, count, rejected, rows })
}

/** What the workers of one attempt after the other write: each classifies the rows that have no result at that time. */
function logOf({
  total,
  attempts,
}: {
  total: number
  attempts: (typeof anyAttempt extends fc.Arbitrary<infer T> ? T : never)[]
}) {
  const log: Entry[] = []
  const late: Result[] = []
  for (const [attempt, { sizes, rejects, failsAfter, zombie }] of attempts.entries()) {
    const done = new DoneRows()
    for (const entry of log) if (isResult(entry)) done.add(entry)
    const last = attempt === attempts.length - 1
    let written = 0
    for (const { from, end: after } of done.positions.missing(0, total)) {
      for (let first = from; first < after && (last || written < failsAfter); written++) {
        const count = Math.min(sizes[written % sizes.length]!, after - first)
        const result = resultOf(attempt, first, count, rejects)
        log.push(result)
        if (zombie && written % 2 === 0) late.push(resultOf(attempt, first, count, []))
        first += count
      }
      if (late.length > 0) log.push(late.shift()!)
    }
    if (last) {
      const end = { job: 'j', epoch: 0, from: 0, attempt, partition: 0, rows: total, total }
      log.push(end, ...late)
    }
  }
  return log
}

/** The rule, by position: within an attempt the first copy that did not come too late, and of those the latest. */
function expected(log: readonly Entry[], total: number): string[] {
  const rows: string[] = []
  const deciding: number[] = []
  const next = new Map<number, number>()
  for (const result of log.filter(isResult)) {
    const { attempt, first, count, rejected } = result
    const cells = [...result.rows]
    for (let index = 0; index < count; index++) {
      const reject = rejected.find(one => one.index === index)
      const text = reject ? `reject ${attempt}/${first + index}` : cells.shift()![0]!
      const position = first + index
      if (position < (next.get(attempt) ?? 0) || (deciding[position] ?? -1) > attempt) continue
      rows[position] = text
      deciding[position] = attempt
    }
    next.set(attempt, Math.max(next.get(attempt) ?? 0, first + count))
  }
  assert.equal(rows.filter(Boolean).length, total)
  return rows
}

test('for each position the latest attempt that has it counts, in order, however late the log is', () => {
  fc.assert(
    fc.property(anyCase, ({ total, attempts, start, patience }) => {
      const log = logOf({ total, attempts })
      let there = 0
      const logs = attempts.map((_, attempt): AttemptLog & { at: number } => ({
        at: 0,
        get read() {
          return this.at
        },
        next() {
          while (this.at < there) {
            const offset = this.at++
            const value = log[offset]!
            if (value.attempt !== attempt) continue
            return (
              isResult(value) ? { kind: 'result', offset, value } : { kind: 'end', offset, value }
            ) as AttemptMessage
          }
          return undefined
        },
      }))
      const begin = Math.min(start, total)
      const merged = new MergedAttempts(logs, begin)
      const seen: string[] = []
      let next = begin
      let ended = false
      while (!ended) {
        const found = merged.next()
        if (!found) {
          assert.ok(there < log.length, 'everything is there, but waits')
          there = Math.min(log.length, there + patience)
          continue
        }
        if (found.kind === 'end') {
          ended = true
          continue
        }
        const { first, count, rejected, rows, attempt } = found.value
        assert.equal(first, next, 'no position is skipped or repeated')
        const cells = [...rows]
        for (let index = 0; index < count; index++) {
          const reject = rejected.some(one => one.index === index)
          seen.push(reject ? `reject ${attempt}/${first + index}` : cells.shift()![0]!)
        }
        assert.equal(cells.length, 0)
        next = first + count
      }
      assert.deepEqual(seen, expected(log, total).slice(begin))
    }),
    { numRuns: 3000 },
  )
})

test('a position in no attempt is a jump: the result after it comes as it is', () => {
  const entries = [resultOf(0, 0, 2, []), resultOf(1, 4, 2, [])]
  const logs = [0, 1].map((attempt): AttemptLog => {
    const mine = entries.flatMap((value, offset) => (value.attempt === attempt ? [{ offset, value }] : []))
    return {
      next: () =>
        mine.shift() && ({ kind: 'result', ...{ offset: attempt, value: entries[attempt]! } } as AttemptMessage),
      read: 2,
    }
  })
  const merged = new MergedAttempts(logs, 0)
  const told = [merged.next(), merged.next()].map(
    found => found?.kind === 'result' && [found.value.first, found.value.count],
  )
  assert.deepEqual(told, [
    [0, 2],
    [4, 2],
  ])
})

test('rows that a later attempt replaced, or that were returned, are no duplicates; copies within an attempt are', () => {
  const duplicatesOf = (copies: readonly Result[], next: number) => {
    const first = [resultOf(0, 0, 50, [7]), ...copies, resultOf(0, 50, 50, [])]
    const second = [
      resultOf(1, 7, 1, []),
      { job: 'j', epoch: 0, from: 0, attempt: 1, partition: 0, rows: 100, total: 100 },
    ]
    const logs = [first, second].map((entries, attempt): AttemptLog => {
      let at = 0
      const offset = (index: number) => (attempt === 0 ? index : first.length + index)
      return {
        next: () => {
          const entry = entries[at]
          if (!entry) return undefined
          const found = { offset: offset(at++) }
          return isResult(entry) ? { ...found, kind: 'result', value: entry } : { ...found, kind: 'end', value: entry }
        },
        get read() {
          return at < entries.length ? offset(at) : Number.POSITIVE_INFINITY
        },
      }
    })
    const merged = new MergedAttempts(logs, next)
    let rows = next
    for (let found = merged.next(); found?.kind === 'result'; found = merged.next()) rows += found.value.count
    assert.equal(rows, 100)
    return merged.duplicates
  }
  assert.equal(duplicatesOf([], 0), 0)
  assert.equal(duplicatesOf([], 60), 0)
  assert.equal(duplicatesOf([resultOf(0, 0, 10, []), resultOf(0, 20, 5, [])], 0), 15)
})
