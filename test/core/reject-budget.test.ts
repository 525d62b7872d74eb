import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf, RejectBudget } from '../../src/core/reject-budget.ts'
import type { Rejected } from '../../src/model.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const rejects = (count: number, first = 0): Rejected[] =>
  Array.from({ length: count }, (_, i) => {
    const seq = first + i
    return { index: 0, seq, line: seq + 2, reason: 'FAILED', detail: 'bad', values: [] }
  })

const budget = (maxRejects: string | null, before = 0) => {
  const options = maxRejects === null ? [] : [{ name: 'maxRejects', value: maxRejects }]
  return new RejectBudget(jobRecord({ options }), before)
}

/** The option of the job, the rejects before, the rejects now, the total, and the budget that they exceed, if any. */
const CASES: readonly (readonly [string | null, number, number, number | null, number | null])[] = [
  [null, 0, 0, 10, null],
  [null, 0, 1, 10, 0],
  ['2', 0, 2, 10, null],
  ['2', 0, 3, 10, 2],
  ['2', 2, 1, null, 2],
  ['2', 2, 0, null, null],
  ['10%', 0, 5, null, null],
  ['10%', 0, 5, 50, null],
  ['10%', 0, 5, 49, 4],
  ['0.5%', 0, 1, 199, 0],
]

for (const [option, before, now, total, over] of CASES) {
  const name = `${before} rejects and ${now} more of ${total ?? 'an unknown number of'} rows with a budget of ${option ?? 'nothing'}`
  test(`${name}: ${over === null ? 'is accepted' : `more than ${over}`}`, () => {
    const add = () => budget(option, before).add(rejects(now), total)
    if (over === null) add()
    else assert.throws(add, { code: 'REJECTS_OVER_BUDGET' })
  })
}

test('a percentage is checked again when the total is known', () => {
  const rejected = budget('10%')
  rejected.add(rejects(5), null)
  rejected.check(50)
  assert.throws(() => rejected.check(40), {
    code: 'REJECTS_OVER_BUDGET',
    message:
      'job j: 5 rows were rejected, and --max-rejects allows 4. The first, row 0 (line 2), was rejected: FAILED bad',
  })
})

test('without a budget the message names the row; without a kept reject, only the count', () => {
  assert.throws(() => budget(null).add(rejects(1, 7), 10), {
    message: 'job j: row 7 (line 9) was rejected: FAILED bad',
  })
  assert.throws(() => budget('2', 3).check(10), { message: 'job j: 3 rows were rejected, and --max-rejects allows 2' })
})

test('it keeps the first 100 rejects, and counts all', () => {
  const rejected = budget('500')
  rejected.add(rejects(90), 1000)
  rejected.add(rejects(90, 90), 1000)
  assert.deepEqual([rejected.kept.length, rejected.kept.at(-1)?.seq], [100, 99])
  assert.throws(() => rejected.add(rejects(321, 180), 1000), /501 rows were rejected/)
})

test('a row is named by its seq and its line, if it has them', () => {
  assert.equal(nameOf({ seq: 17, line: 19 }), 'row 17 (line 19)')
  assert.equal(nameOf({ seq: 17, line: null }), 'row 17')
  assert.equal(nameOf({ seq: null, line: 19 }), 'a row (line 19)')
  assert.equal(nameOf({ seq: null, line: null }), 'a row')
})
