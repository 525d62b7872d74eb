/** Events beside the file that their job is like: a value that would have changed a dtype of the file is named, with its column. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { python } from './serial.ts'

const FILE = `i,f,b,s,d,o
1,1.5,True,x,2024-01-01,True
2,2.5,False,y,2024-01-02,
3,,True,,2024-01-03,False
`
const GOOD = ['4', '1.5', 'True', 'x', '2024-01-04', 'True']
const TIMES = FILE.replaceAll(/(01-0.)/g, '$1T10:00:00.123456Z')
const GERMAN = 'i;f;b\n1.000;1,5;ja\n2;2;nein\n'

type Row = readonly string[]
/** Content of a file, arguments of read_csv, and for each row what becomes of it: a line, or what the message says. */
type Case = readonly [content: string, args: string, ...rows: (readonly [row: Row, line: string | RegExp])[]]

function but(at: number, value: string): Row {
  return GOOD.with(at, value)
}

const unfit = (value: string, column: string, what: string) => {
  const texts = [`row 7: '${value}' does not fit`, column, what, 'in the whole file']
  return new RegExp(texts.map(text => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.* '))
}

const ENGINES = ["engine='c'", "engine='python'"].flatMap(engine => [
  [
    FILE,
    `parse_dates=['d'],${engine}`,
    [GOOD, '7,4,1.5,True,x,2024-01-04,True'],
    [but(0, ' +7 '), '7,7,1.5,True,x,2024-01-04,True'],
    ...['2.5', '1.0', '1e3', '', 'NA', 'abc', 'True', '99999999999999999999'].map(
      value => [but(0, value), unfit(value, "column 'i'", 'is int64')] as const,
    ),
    [but(1, '7'), '7,4,7.0,True,x,2024-01-04,True'],
    [but(1, ''), '7,4,,True,x,2024-01-04,True'],
    ...['abc', '1,5', 'True'].map(value => [but(1, value), unfit(value, "column 'f'", 'is float64')] as const),
    ...['maybe', '1', '', 'true '].map(value => [but(2, value), unfit(value, "column 'b'", 'is bool')] as const),
    [but(3, '7'), '7,4,1.5,True,7,2024-01-04,True'],
    ...['nodate', '2024-01-04 10:00', '04.01.2024'].map(
      value =>
        [but(4, value), unfit(value, "column 'd'", "has dates (datetime64[us]) in the format '%Y-%m-%d'")] as const,
    ),
    [but(4, ''), '7,4,1.5,True,x,,True'],
    ...['maybe', '1'].map(value => [but(5, value), unfit(value, "column 'o'", 'has objects of type bool')] as const),
    [GOOD.slice(0, 4), '7,4,1.5,True,x,,'],
    [[...GOOD, 'z'], /ROW_MALFORMED row 7 has 7 values, the header has 6 columns/],
    [[], unfit('', "column 'i'", 'is int64')],
  ],
  [
    TIMES,
    `parse_dates=['d'],date_format='ISO8601',${engine}`,
    [but(4, '2024-01-04T10:00:00.5+02:00'), '7,4,1.5,True,x,2024-01-04 08:00:00.500+00:00,True'],
    [but(4, '2024-01-04T10:00:00.123456789Z'), unfit('2024-01-04T10:00:00.123456789Z', "column 'd'", 'has dates')],
    [but(4, '2024-01-04 10:00:00'), unfit('2024-01-04 10:00:00', "column 'd'", 'has dates')],
  ],
  [
    FILE,
    `dtype_backend='numpy_nullable',${engine}`,
    [but(0, ''), '7,,1.5,True,x,2024-01-04,True'],
    ...['2.5', '1.0', 'True'].map(value => [but(0, value), unfit(value, "column 'i'", 'is Int64')] as const),
    [but(1, 'True'), unfit('True', "column 'f'", 'is Float64')],
    [but(2, '1'), unfit('1', "column 'b'", 'is boolean')],
  ],
  [
    FILE,
    `dtype={'i':'int8','s':'category','b':'boolean'},${engine}`,
    [but(0, '300'), unfit('300', "column 'i'", 'is int8')],
    [but(3, 'q'), unfit('q', "column 's'", 'is a category of other values')],
    [but(2, 'maybe'), unfit('maybe', "column 'b'", 'is boolean')],
  ],
  [
    FILE,
    `index_col=['s','i'],${engine}`,
    [GOOD, 'x,4,1.5,True,2024-01-04,True'],
    [but(0, 'True'), unfit('True', "column 'i'", 'is int64')],
  ],
  [
    FILE,
    `converters={'i':amount,'f':amount},${engine}`,
    [but(1, '7'), '7,4,7.0,True,x,2024-01-04,True'],
    [but(0, '2.5'), unfit('2.5', "column 'i'", 'is int64')],
    [
      but(0, 'abc'),
      /row 7: 'abc' does not fit column 'i', which is int64 in the whole file \(the converter: ValueError: .*\)/,
    ],
  ],
  [
    GERMAN,
    `sep=';',decimal=',',thousands='.',true_values=['ja'],false_values=['nein'],${engine}`,
    [['4.000', '5,5', 'nein'], '7,4000,5.5,False'],
    [['4', 'ja', 'ja'], unfit('ja', "column 'f'", 'is float64')],
    [['4', '5', 'jein'], unfit('jein', "column 'b'", 'is bool')],
  ],
]) as unknown as readonly Case[]

test('a value of an event that does not fit the file is named with its column, with both engines', async () => {
  const given = ENGINES.map(([content, args, ...rows]) => [content, args, rows.map(([row]) => row)])
  const answers = JSON.parse(await python('unfit_values.py', given)) as (string | [string, string])[][]
  for (const [at, [, args, ...rows]] of ENGINES.entries())
    for (const [index, [row, wanted]] of rows.entries()) {
      const answer = answers[at]![index]!
      const place = `${args}, ${row.join(' | ')}`
      if (typeof wanted === 'string') assert.deepEqual(answer, wanted, place)
      else assert.match(typeof answer === 'string' ? `fits: ${answer}` : answer.join(' '), wanted, place)
    }
})
