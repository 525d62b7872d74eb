import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputKinds } from '../../src/core/output-kinds.ts'
import { CellRules, ChangedCells, describeChanges, WholeColumns } from '../../src/core/whole-columns.ts'
import type { Values } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** Results of one column beside an index: its kind and its cells. */
type Batches = readonly (readonly [kind: string, cells: readonly string[]])[]

const jobOf = (toCsv: Record<string, unknown>, more: { name: string; value: string }[] = []) => ({
  options: [{ name: 'toCsv', value: JSON.stringify(toCsv) }, ...more],
})

/** The cells of the column as they are written at last. `resumeAt` are batches after which another collector goes on. */
function written(batches: Batches, toCsv: Record<string, unknown> = {}, resumeAt: readonly number[] = []): string[] {
  const rules = new CellRules(jobOf(toCsv))
  const results = batches.map(([kind, cells]) =>
    resultRecord({ columns: ['ID', 'X'], kinds: ['text', kind], rows: cells.map(cell => ['id', cell]) }),
  )
  let kinds = new OutputKinds('j', [], { rules })
  let whole = new WholeColumns(rules)
  for (const [i, result] of results.entries()) {
    if (resumeAt.includes(i)) {
      const [before, seen] = JSON.parse(JSON.stringify([kinds.seen, whole.seen]))
      kinds = new OutputKinds('j', [], { rules, before })
      whole = new WholeColumns(rules, seen)
    }
    kinds.check(result, `batch ${i}`)
    whole.add(result.rows, result)
  }
  const changes = whole.changes(kinds.kinds)
  const changed = changes && new ChangedCells(rules, JSON.parse(JSON.stringify(changes)))
  const rows = results.flatMap(result => changed?.of(result.rows, result) ?? result.rows)
  return (rows as Values[]).map(([, cell]) => cell!)
}

const INTEGERS = ['integer', ['1', '-20', '10000000000000000']] as const

for (const [what, batches, expected, toCsv] of [
  ['a float', [INTEGERS, ['float', ['2.5']]], ['1.0', '-20.0', '1e+16', '2.5']],
  ['whole floats and missing cells', [['whole', ['3.0', '']], INTEGERS], ['3.0', '', '1.0', '-20.0', '1e+16']],
  ['nothing but missing cells', [INTEGERS, ['empty', ['', '']]], ['1.0', '-20.0', '1e+16', '', '']],
  [
    'beyond 2^53',
    [
      ['integer', ['9007199254740993', '18446744073709551615']],
      ['float', ['0.5']],
    ],
    ['9007199254740992.0', '1.8446744073709552e+19', '0.5'],
  ],
  ['a decimal comma', [INTEGERS, ['whole', ['2,5']]], ['1,0', '-20,0', '1e+16', '2,5'], { decimal: ',' }],
  [
    'a float_format',
    [INTEGERS, ['whole', ['2.50']]],
    ['1.00', '-20.00', '10000000000000000.00', '2.50'],
    { float_format: '%.2f' },
  ],
  [
    'negative integers and missing cells',
    [
      ['negative', ['-1', '0']],
      ['empty', ['']],
    ],
    ['-1.0', '0.0', ''],
  ],
  [
    'a float_format without digits',
    [
      ['integer', ['7']],
      ['whole', ['2']],
    ],
    ['7', '2'],
    { float_format: '%.0f' },
  ],
  [
    'marks of numbers',
    [
      ['integer', ['\x001']],
      ['float', ['\x000.5', '']],
    ],
    ['\x001.0', '\x000.5', ''],
    { quoting: 2 },
  ],
  [
    'marks and a decimal comma',
    [
      ['integer', ['\x001']],
      ['whole', ['0,5']],
    ],
    ['1,0', '0,5'],
    { quoting: 2, decimal: ',' },
  ],
] as [string, Batches, string[], Record<string, unknown>?][]) {
  test(`integers beside ${what} are written as floats, whatever came first`, () => {
    assert.deepEqual(written(batches, toCsv), expected)
    assert.deepEqual(written(batches, toCsv, [1]), expected)
  })
}

const [DAY, TIME, MS] = [
  ['datetime64[us] day', ['2024-01-01', '']],
  ['datetime64[us] second', ['2024-01-01 00:00:00', '2024-01-02 10:30:00']],
  ['datetime64[us] millisecond', ['2024-01-03 00:00:00.500']],
] as const

for (const [what, batches, expected, toCsv] of [
  ['times', [DAY, TIME], ['2024-01-01 00:00:00', '', '2024-01-01 00:00:00', '2024-01-02 10:30:00']],
  ['parts of a second', [DAY, MS], ['2024-01-01 00:00:00.000', '', '2024-01-03 00:00:00.500']],
  [
    'a finer unit',
    [MS, ['datetime64[ns] nanosecond', ['2024-01-01 10:00:00.000000001']]],
    ['2024-01-03 00:00:00.500000000', '2024-01-01 10:00:00.000000001'],
  ],
  [
    'times in another chunk',
    [DAY, TIME],
    ['2024-01-01', '', '2024-01-01 00:00:00', '2024-01-02 10:30:00'],
    { chunksize: 2 },
  ],
  [
    'times in the next chunk, within one batch',
    [TIME, DAY],
    ['2024-01-01', '2024-01-02 10:30:00', '2024-01-01', ''],
    { chunksize: 1 },
  ],
  [
    'missing cells',
    [DAY, ['empty', ['']], TIME],
    ['2024-01-01 00:00:00', '', '', '2024-01-01 00:00:00', '2024-01-02 10:30:00'],
  ],
  [
    'times with a zone',
    [
      ['datetime64[us, UTC] day', ['2024-01-01 00:00:00+00:00']],
      ['datetime64[us, UTC] millisecond', ['2024-01-01 00:00:00.500+00:00']],
    ],
    ['2024-01-01 00:00:00.000+00:00', '2024-01-01 00:00:00.500+00:00'],
  ],
  [
    'time spans',
    [
      ['timedelta64[us] day', ['1 days', '-1 days']],
      ['timedelta64[us] microsecond', ['-1 days +23:59:55.500000']],
    ],
    ['1 days 00:00:00.000000', '-1 days +00:00:00.000000', '-1 days +23:59:55.500000'],
  ],
] as [string, Batches, string[], Record<string, unknown>?][]) {
  test(`dates beside ${what} are written as exactly as the chunk of the whole file needs`, () => {
    assert.deepEqual(written(batches, toCsv), expected)
    assert.deepEqual(written(batches, toCsv, [1]), expected)
  })
}

for (const [what, batches, toCsv] of [
  ['text beside integers and floats', [INTEGERS, ['float', ['2.5']], ['text', ['a']]]],
  [
    'whole floats beside text',
    [
      ['whole', ['1.0']],
      ['text', ['a']],
    ],
  ],
  [
    'integers of an object column',
    [
      ['object integer', ['1']],
      ['float', ['2.5']],
    ],
  ],
  [
    'integers beyond int64 beside missing cells',
    [
      ['unsigned', ['9223372036854775808']],
      ['empty', ['']],
    ],
  ],
  ['integers beside pd.NA', [INTEGERS, ['missing', ['']]]],
  ['integers beside floats and text in one batch', [INTEGERS, ['mixed float', ['1.0', 'a']]]],
  ['floats of an object column', [INTEGERS, ['object float', ['2.5']]]],
  ['nullable integers', [INTEGERS, ['Int64', ['2']]]],
  ['a float_format that is not just a number of digits', [INTEGERS, ['whole', ['2']]], { float_format: '%g' }],
  ['dates beside text', [DAY, ['text', ['a']]]],
  ['zones beside none', [TIME, ['datetime64[us, UTC] second', ['2024-01-01 00:00:00+00:00']]]],
  ['dates, with a date for missing ones', [DAY, TIME], { na_rep: '1970-01-01' }],
] as [string, Batches, Record<string, unknown>?][]) {
  test(`${what}: nobody can know what pandas would have written, so the job ends by name`, () => {
    assert.throws(() => written(batches, toCsv), { code: 'KIND_DRIFT', message: /column X is .* in batch \d and / })
  })
}

test('columns that came alike stay as they came, and nothing is asked of a sink that cannot rewrite', () => {
  for (const batches of [
    [INTEGERS, INTEGERS],
    [DAY, DAY],
    [TIME, TIME],
    [
      ['float', ['1.5']],
      ['whole', ['1.0']],
    ],
  ] as Batches[])
    assert.deepEqual(
      written(batches),
      batches.flatMap(([, cells]) => cells),
    )
  const kinds = new OutputKinds('j')
  const result = (kind: string) => resultRecord({ columns: ['X'], kinds: [kind], rows: [['1']] })
  kinds.check(result('integer'), 'batch 0')
  assert.throws(() => kinds.check(result('float'), 'batch 1'), { code: 'KIND_DRIFT' })
})

test('a cast column is not changed, and neither are integers whose float_format only the write call knows', () => {
  const result = (kind: string, cell: string) => resultRecord({ columns: ['X'], kinds: [kind], rows: [[cell]] })
  const changesOf = (cast: string[], more: { name: string; value: string }[] = []) => {
    const rules = new CellRules(jobOf({ index: false }, more))
    const [kinds, whole] = [new OutputKinds('j', cast, { rules }), new WholeColumns(rules)]
    for (const each of [result('integer', '1'), result('float', '0.5')]) {
      kinds.check(each, 'rows')
      whole.add(each.rows, each)
    }
    return whole.changes(kinds.kinds)
  }
  assert.deepEqual(changesOf([]), { floats: [0], dates: [] })
  assert.equal(changesOf(['X']), null)
  const call = (value: string) => [{ name: 'writeCall', value }]
  assert.deepEqual(changesOf([], call('df.to_csv(OUT, index=False)')), { floats: [0], dates: [] })
  for (const value of ['df.to_csv(OUT, float_format=money)', 'df.to_csv(OUT, **OPTIONS)', 'settings:WRITE'])
    assert.throws(() => changesOf([], call(value)), { code: 'KIND_DRIFT' })
})

test('dates are written by the chunk, also if a cast says that they are dates', () => {
  const rules = new CellRules(jobOf({}))
  const [kinds, whole] = [new OutputKinds('j', ['X'], { rules }), new WholeColumns(rules)]
  for (const [kind, cells] of [DAY, TIME]) {
    const each = resultRecord({ columns: ['ID', 'X'], kinds: ['text', kind], rows: cells.map(cell => ['id', cell]) })
    kinds.check(each, 'rows')
    whole.add(each.rows, each)
  }
  assert.deepEqual(whole.changes(kinds.kinds), { floats: [], dates: [[1, [1]]] })
})

test('the user is told which columns change, and how', () => {
  const message = describeChanges({ changes: { floats: [1], dates: [[2, [1]]] }, columns: ['ID', 'n', 'd'] })
  assert.match(
    message,
    /n as floats, d with the times .*written again from the results, and nothing is classified again/,
  )
})
