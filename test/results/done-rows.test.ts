import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rejected, Result } from '../../src/model.ts'
import { DoneRows } from '../../src/results/done-rows.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** A result from position `first` on: one letter for each row, a dash for a reject. */
function result(attempt: number, first: number, letters: string): Result {
  const rejected: Rejected[] = [...letters].flatMap((letter, index) =>
    letter === '-' ? [{ index, seq: null, line: null, reason: 'NO', detail: '', values: [] }] : [],
  )
  const rows = [...letters].filter(letter => letter !== '-').map(letter => [letter])
  return resultRecord({ attempt, first, count: letters.length, rejected, rows })
}

const openAfter = (...results: Result[]) => {
  const done = new DoneRows()
  for (const each of results) done.add(each)
  return done.positions.missing(0, 6).map(({ from, end }) => [from, end])
}

test('rows are done, and rejects are open for a later attempt', () => {
  assert.deepEqual(openAfter(result(0, 0, 'ab-'), result(0, 3, 'd-f')), [
    [2, 3],
    [4, 5],
  ])
})

test('a reject stays open when a copy of the same attempt has a row, and is done when a later attempt has one', () => {
  const first = result(0, 0, 'ab-def')
  assert.deepEqual(openAfter(first, result(0, 0, 'abcdef')), [[2, 3]])
  assert.deepEqual(openAfter(first, result(1, 2, 'c')), [])
})

test('a row stays done if a copy rejects it', () => {
  assert.deepEqual(openAfter(result(0, 0, 'abcdef'), result(0, 2, '-'), result(1, 2, '-')), [])
})
