/** Functions that look at other rows of their batch, as people write them: `differsByCut` must find each. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { differsByCut } from '../../src/testing.ts'
import { python } from '../helpers/python.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures/looks_at_rows.py')

/** What differs between two splits of these rows, when the column `name` has these cells. */
function differs(name: string, cells: readonly string[], classify: string): Promise<string | null> {
  const columns = ['ID', ...new Set([name, 'N', 'NAME'])]
  const rows = cells.map((cell, i) => [`${i + 1}`, cell, ...columns.slice(2).map(other => `${other}${i}`)])
  return differsByCut({ classifier: `${FIXTURE}:${classify}`, python, columns, rows, onOutput: () => {} })
}

/** Only the first of 20 rows has a day after the 12th, so only it shows which number is the day. */
const DAYS = ['13/02/2024', ...Array.from({ length: 19 }, (_, i) => `0${(i % 9) + 1}/02/2024`)]
/** No single format can read the whole column. */
const TWO_FORMATS = [...Array(8).fill('2024-01-08'), ...Array(12).fill('09.01.2024')]
const TIMES = [...Array(6).fill('2024-01-01 00:00'), ...Array(7).fill('2024-01-01 10:30')]
const NUMBERS = Array.from({ length: 20 }, (_, i) => `${i}`)
const NAMES = NUMBERS.map((_, i) => ['b', 'a'][i % 2]!)

for (const [what, name, cells, classify, found] of [
  ['to_datetime swaps days and months', 'DAY', DAYS, 'to_datetime', /^row 1, column ISO: "2024-02-01" .*"2024-01-02" /],
  [
    'to_datetime fails over the whole column',
    'DAY',
    DAYS.toReversed(),
    'to_datetime',
    /^2 rows together, .*ValueError/,
  ],
  ['to_datetime with errors=coerce', 'DAY', TWO_FORMATS, 'to_datetime_coerce', /^row 8, column ISO: "" with all rows/],
  [
    'to_datetime and midnight, which only live events show',
    'TIME',
    TIMES,
    'to_datetime_column',
    /^row 5, column TIME: "2024-01-01 00:00:00" with all rows at once, "2024-01-01" with live events in batches of up to 100 rows$/,
  ],
  [
    'to_numeric and a missing cell, which only live events show',
    'N',
    [...NUMBERS, ''],
    'to_numeric',
    /^row 0, column N: "0.0" with all rows at once, "0" with live events in batches of up to 100 rows$/,
  ],
  [
    'to_numeric beyond int64 beside a sign',
    'N',
    ['000', '-1', '18446744073709551615'],
    'to_numeric',
    /column N is unsigned in row 2 and negative in row 1\..* Return text, here and in the original job\./,
  ],
  [
    'sort_values',
    'NAME',
    NAMES,
    'sort_values',
    /^2 rows together, row 0 first: CLASSIFIER_CONTRACT .*all rows at once/,
  ],
  ['drop_duplicates', 'NAME', NAMES, 'drop_duplicates', /^3 rows together, row 0 first: CLASSIFIER_CONTRACT .*2 rows/],
  ['groupby and transform', 'NAME', NAMES, 'group_counts', /^row 0, column COUNT: "10" with all rows/],
  ['category codes', 'NAME', NAMES, 'category_codes', /^row 0, column CODE: "1" with all rows/],
  ['qcut', 'N', NUMBERS, 'quantiles', /^row 0: .*"low".* with all rows at once, rejected/],
  ['range(len(df))', 'N', NUMBERS, 'numbers_rows', /^row 1, column ROW: "2" with all rows/],
  ['shift', 'NAME', NAMES, 'previous_row', /^row 1, column BEFORE: "b" with all rows at once, ""/],
  ['an exception in company', 'NAME', NAMES, 'throws_in_company', /^2 rows together, .*only one row at a time/],
  [
    'a sort far from bad rows',
    'NAME',
    ['bad', 'a', 'b', 'a'],
    'sorts_but_throws_at_bad',
    /^2 rows together, row 2 first/,
  ],
] as const) {
  test(`differsByCut finds ${what}`, async () => {
    assert.match((await differs(name, cells, classify)) ?? 'null', found)
  })
}

for (const [name, cells, classify] of [
  ['DAY', DAYS, 'to_datetime_cured'],
  ['TIME', TIMES, 'to_datetime_column_cured'],
  ['N', [...NUMBERS, ''], 'to_numeric_cured'],
  ['NAME', NAMES, 'category_codes_cured'],
  ['N', NUMBERS, 'quantiles_cured'],
] as const) {
  test(`differsByCut finds nothing in ${classify}`, async () => {
    assert.equal(await differs(name, cells, classify), null)
  })
}
