import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowLedger } from '../../src/core/row-ledger.ts'

/** A message with `count` rows from `first` on; `counts` are its positions that count, as `from-last`. */
interface Message {
  readonly epoch?: number
  readonly attempt?: number
  readonly rows: readonly [first: number, count: number]
  readonly counts: string
}

const CASES: Readonly<Record<string, readonly Message[]>> = {
  'rows in order all count': [
    { rows: [0, 3], counts: '0-2' },
    { rows: [3, 2], counts: '3-4' },
  ],
  'a second copy does not count, and of an overlap only the new rows do': [
    { rows: [0, 3], counts: '0-2' },
    { rows: [0, 3], counts: '' },
    { rows: [1, 1], counts: '' },
    { rows: [2, 3], counts: '3-4' },
  ],
  'a jump is no gap here, and rows below it do not count later': [
    { rows: [7, 2], counts: '7-8' },
    { rows: [3, 2], counts: '' },
    { rows: [9, 1], counts: '9-9' },
  ],
  'every attempt has first copies of its own': [
    { attempt: 0, rows: [0, 4], counts: '0-3' },
    { attempt: 1, rows: [2, 2], counts: '2-3' },
    { attempt: 0, rows: [2, 4], counts: '4-5' },
    { attempt: 1, rows: [3, 2], counts: '4-4' },
  ],
  'a newer epoch may send positions again, and ends the older ones': [
    { epoch: 0, rows: [0, 9], counts: '0-8' },
    { epoch: 2, rows: [5, 2], counts: '5-6' },
    { epoch: 0, rows: [9, 1], counts: '' },
    { epoch: 1, rows: [7, 1], counts: '' },
    { epoch: 2, rows: [5, 3], counts: '7-7' },
  ],
  'a message without rows begins an epoch too': [
    { epoch: 0, rows: [0, 2], counts: '0-1' },
    { epoch: 1, rows: [0, 0], counts: '' },
    { epoch: 0, rows: [2, 2], counts: '' },
    { epoch: 1, rows: [1, 2], counts: '1-2' },
  ],
}

for (const [name, messages] of Object.entries(CASES)) {
  test(name, () => {
    const ledger = new RowLedger()
    for (const { epoch = 0, attempt = 0, rows, counts } of messages) {
      const { from, end } = ledger.take({ epoch, attempt }, ...rows)
      assert.equal(from < end ? `${from}-${end - 1}` : '', counts, JSON.stringify({ epoch, attempt, rows }))
      assert.ok(from >= rows[0] && end === rows[0] + rows[1], 'it is the last part of the message')
    }
  })
}

test('any message enters its epoch, a ledger may begin with a later one, and `end` is that of the epoch', () => {
  const ledger = new RowLedger(3)
  assert.equal(ledger.enter(2), false)
  assert.equal(ledger.enter(3), true)
  ledger.take({ epoch: 3 }, 4, 2)
  assert.deepEqual([ledger.epoch, ledger.end(), ledger.end(1)], [3, 6, 0])
  assert.equal(ledger.enter(5), true)
  assert.deepEqual([ledger.epoch, ledger.end()], [5, 0])
})
