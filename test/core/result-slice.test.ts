import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isReject,
  outcomesOf,
  type ResultSlice,
  rejectedOf,
  rowsOf,
  rowsOutOf,
  sameColumns,
} from '../../src/core/result-slice.ts'
import type { Rejected, Result } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** A result with one letter for each row; a dash is a reject. */
function result(letters: string, columns = ['c']): Result {
  const rejected: Rejected[] = [...letters].flatMap((letter, index) =>
    letter === '-' ? [{ index, seq: index, line: null, reason: 'NO', detail: '', values: [] }] : [],
  )
  const rows = [...letters].filter(letter => letter !== '-').map(letter => [letter])
  return resultRecord({ count: letters.length, columns, rejected, rows })
}

const slice = (letters: string, index: number, count: number): ResultSlice => ({
  result: result(letters),
  partition: 0,
  offset: 0,
  index,
  count,
  seq: index,
})

for (const letters of ['abcd', '-bcd', 'ab-d', 'a--d', '----', 'abc-']) {
  test(`every slice of ${letters} has the outcomes of its rows, in order`, () => {
    for (let index = 0; index < letters.length; index++) {
      for (let count = 0; index + count <= letters.length; count++) {
        const part = slice(letters, index, count)
        const expected = letters.slice(index, index + count)
        assert.equal(
          outcomesOf(part)
            .map(outcome => (isReject(outcome) ? '-' : outcome.flat().join('')))
            .join(''),
          expected,
        )
        assert.equal(rowsOf(part).flat().join(''), expected.replaceAll('-', ''))
        const rejects = [...expected].flatMap((letter, i) => (letter === '-' ? [index + i] : []))
        assert.deepEqual(
          rejectedOf(part).map(({ seq }) => seq),
          rejects,
        )
      }
    }
  })
}

test('every slice of a result with any number of output rows has those of its rows', () => {
  const outputs = [2, 0, 0, 3, 1]
  const rows = ['a', 'b', 'd', 'e', 'f', 'g'].map(letter => [letter])
  const rejected = result('ab-').rejected
  const whole = resultRecord({ count: 5, rejected, outputs, rows })
  const expected = ['ab', '', '-', 'def', 'g']
  for (let index = 0; index < 5; index++) {
    for (let count = 0; index + count <= 5; count++) {
      const part = { ...slice('', index, count), result: whole }
      const texts = outcomesOf(part).map(outcome => (isReject(outcome) ? '-' : outcome.flat().join('')))
      assert.deepEqual(texts, expected.slice(index, index + count))
      const letters = texts.join('').replaceAll('-', '')
      assert.equal(rowsOf(part).flat().join(''), letters)
      assert.equal(rowsOutOf(part), letters.length)
    }
  }
})

test('two results have the same columns if their names are equal in order, or one has no rows', () => {
  const one = result('a', ['x', 'y'])
  assert.equal(sameColumns(one, result('b', ['x', 'y'])), true)
  assert.equal(sameColumns(one, result('b', ['y', 'x'])), false)
  assert.equal(sameColumns(one, result('b', ['x'])), false)
  assert.equal(sameColumns(one, result('-', ['z'])), true)
  assert.equal(sameColumns(result('-', ['z']), one), true)
})
