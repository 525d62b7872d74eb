import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputKinds } from '../../src/core/output-kinds.ts'
import { CellRules } from '../../src/core/whole-columns.ts'
import type { Result } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

function result(kinds: string[], change: Partial<Result> = {}): Result {
  const columns = kinds.map((_, i) => `c${i}`)
  return resultRecord({ columns, kinds, rows: [kinds], ...change })
}

const DRIFTS = [
  ['integer', 'float'],
  ['empty', 'integer'],
  ['integer', 'whole'],
  ['whole', 'text'],
  ['whole', 'mixed'],
  ['datetime64[ns] day', 'datetime64[ns] second'],
  ['Int64', 'integer'],
  ['Int64 long', 'float'],
  ['Int64 missing', 'text'],
  ['float32', 'float'],
  ['interval[int64, right]', 'empty'],
  ['unsigned', 'negative'],
  ['unsigned', 'whole'],
  ['negative', 'empty'],
  ['integer', 'missing'],
  ['whole', 'missing'],
  ['integer', 'mixed float'],
  ['category[int64]', 'missing'],
]
const STEADY = [
  ['float', 'empty'],
  ['float', 'whole'],
  ['text', 'empty'],
  ['boolean', 'empty'],
  ['whole', 'empty'],
  ['float', 'text'],
  ['datetime64[ns] day', 'empty'],
  ['integer', 'unsigned'],
  ['integer', 'negative'],
  ['integer', 'mixed'],
  ['Int64', 'Int64 missing'],
  ['Int64 long', 'Int64 missing'],
  ['text', 'missing'],
  ['boolean', 'missing'],
  ['float', 'missing'],
  ['datetime64[ns] day', 'missing'],
  ['category[str]', 'missing'],
]

const escaped = (text: string) => text.replaceAll(/[[\]]/g, '\\$&')

for (const [a, b] of DRIFTS) {
  test(`a column that is ${a} in one result and ${b} in another fails by name, with both places and the cure`, () => {
    const kinds = new OutputKinds('j')
    kinds.check(result(['text', a!]), 'rows 0 to 9')
    const message = new RegExp(
      `column c1 is ${escaped(b!)} in rows 10 to 19 and ${escaped(a!)} in rows 0 to 9.*(--cast 'c1=float64'|one type for every row|date_format|Return text, here)`,
    )
    assert.throws(() => kinds.check(result(['text', b!]), 'rows 10 to 19'), { code: 'KIND_DRIFT', message })
  })
}

for (const [a, b] of STEADY) {
  test(`${a} beside ${b} is written alike by pandas and passes`, () => {
    const kinds = new OutputKinds('j')
    kinds.check(result([a!]), 'rows 0 to 9')
    kinds.check(result([b!]), 'rows 10 to 19')
    kinds.check(result([a!]), 'rows 20 to 29')
  })
}

test('a change of the columns fails by name: as drift only if another attempt made it', () => {
  const message = /the columns "c0" for row 1, and "c0", "c1" before/
  for (const [attempt, code] of [
    [0, 'BATCH_DEPENDENT'],
    [1, 'KIND_DRIFT'],
  ] as const) {
    const kinds = new OutputKinds('j')
    kinds.check(result(['text', 'text']), 'row 0')
    assert.throws(() => kinds.check(result(['text'], { attempt }), 'row 1'), { code, message })
    const resumed = new OutputKinds('j', [], { before: kinds.seen })
    assert.throws(() => resumed.check(result(['text'], { attempt }), 'row 1'), { code, message })
  }
})

test('results of two different classifiers are refused', () => {
  const kinds = new OutputKinds('j')
  kinds.check(result(['text'], { by: 'one' }), 'row 0')
  const other = result(['text'], { by: 'two', classifier: new Uint8Array(8).fill(1) })
  assert.throws(() => kinds.check(other, 'row 1'), { code: 'CLASSIFIER_MIXED', message: /one and two/ })
})

test('the kinds of a column with a cast are not compared', () => {
  const kinds = new OutputKinds('j', ['c0'])
  kinds.check(result(['integer']), 'row 0')
  kinds.check(result(['empty']), 'row 1')
})

test('integers end the job at its end if a batch had nothing but floats of dropped rows, unless floats are left too', () => {
  const dropped = result(['dropped float', 'empty'], { rows: [], outputs: [0] })
  const checked = (seen: readonly string[], cast: string[] = []) => {
    let kinds = new OutputKinds('j', cast, { rules: new CellRules({ options: [] }) })
    kinds.check(dropped, 'rows 0 to 9')
    for (const kind of seen) kinds.check(result([kind, kind]), 'rows 10 to 19')
    kinds = new OutputKinds('j', cast, {
      rules: new CellRules({ options: [] }),
      before: JSON.parse(JSON.stringify(kinds.seen)),
    })
    kinds.finish()
  }
  const message = /column c0 is integer in rows 10 to 19 and dropped float in rows 0 to 9\..*--cast 'c0=float64'/
  assert.throws(() => checked(['integer']), { code: 'KIND_DRIFT', message })
  checked(['integer'], ['c0'])
  for (const seen of [[], ['float'], ['integer', 'whole'], ['text'], ['integer', 'text']]) checked(seen)
})
