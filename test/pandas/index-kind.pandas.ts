import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { RowmillError } from '../../src/errors.ts'
import { DEFAULT_NA_WORDS, INDEX_KINDS, IndexKindInference } from '../../src/pandas/index-kind.ts'
import { indexRules } from '../../src/pandas/read-csv.ts'
import { PandasOracle } from '../connectors/pandas-oracle.ts'

let oracle: PandasOracle
/** Whether pandas reads numbers in even steps as a RangeIndex. Older ones read them as integers, which print the same. */
let hasRanges: boolean
before(async () => {
  oracle = new PandasOracle()
  hasRanges = (await oracle.ask<boolean>('ranges')).answer!
})
after(() => oracle.close())

type Given = Readonly<Record<string, unknown>>

function infer(cells: readonly string[], readCsv: Given = {}): string {
  const inference = new IndexKindInference(indexRules(readCsv, 'ID'))
  for (const [index, cell] of cells.entries()) inference.add(cell, index + 2)
  try {
    return inference.kind('f.csv')
  } catch (error) {
    assert.ok(error instanceof RowmillError && error.code === 'INPUT_FIELDS', String(error))
    return 'refused'
  }
}

/**
 * The kinds are equal, and if a kind is given, each part of the column gives the values of the whole. Where an older pandas
 * infers another kind, it cannot read the parts.
 */
async function agree(cells: readonly string[], readCsv: Given = {}): Promise<string> {
  const found = infer(cells, readCsv)
  const whole = await oracle.ask<string>('kind', { cells, readCsv })
  if (hasRanges) assert.equal(whole.error, undefined, whole.error)
  if (found === 'refused') return found
  if (hasRanges) assert.equal(found, whole.answer, JSON.stringify(cells))
  const rows = cells.map(cell => [cell, 'x'])
  const text = ['ID,A', ...cells.map(cell => `"${cell.replaceAll('"', '""')}",x`)].join('\n')
  const serial = await oracle.ask<Given>('serial', { data: Buffer.from(text).toString('base64'), readCsv })
  const batched = await oracle.ask<Given[]>('batched', {
    columns: ['ID', 'A'],
    indexKind: found,
    handedOn: { index_col: 0, dtype: 'str', ...readCsv },
    rows,
    sizes: [1, 2, 3],
  })
  const isOther = found !== whole.answer && !(found === 'range' && whole.answer === 'integer')
  if (isOther)
    assert.ok(batched.error ?? serial.error, `${JSON.stringify(cells)}: ${found}, and ${whole.answer} in pandas`)
  if (isOther) return found
  for (const batches of batched.answer ?? []) assert.deepEqual(batches, serial.answer, JSON.stringify(cells))
  assert.equal(batched.error, undefined, batched.error)
  return found
}

const BIG = '9223372036854775808'
const HUGE = '18446744073709551616'
const TABLE: readonly (readonly [string, readonly string[], string])[] = [
  ['leading zeros', ['007', '008', '010'], 'integer'],
  ['equal steps', ['007', '008', '009'], 'range'],
  ['steps down', ['9', '6', '3'], 'range'],
  ['a single number', ['5'], 'integer'],
  ['the same number twice', ['5', '5'], 'integer'],
  ['long numbers in equal steps', ['1000000000000000000', '1000000000000000001', '1000000000000000002'], 'range'],
  ['long numbers in other steps', ['1000000000000000000', '1000000000000000001', '1000000000000000003'], 'integer'],
  ['a range whose next step leaves int64', ['9223372036854775806', '9223372036854775807'], 'integer'],
  ['a step that leaves int64', ['-9223372036854775808', '9223372036854775807'], 'integer'],
  ['a number and an empty cell', ['1', ''], 'float'],
  ['only missing cells', ['', 'NA', 'null'], 'empty'],
  ['booleans', ['True', 'false', 'TRUE'], 'boolean'],
  ['booleans and a missing cell', ['True', ''], 'refused'],
  ['booleans and text', ['True', '', 'x'], 'text'],
  ['booleans and numbers', ['True', '1'], 'text'],
  ['digits with an underscore', ['1_000'], 'text'],
  ['numbers in white space', [' 1', '2\t', '\v4'], 'integer'],
  ['a no-break space', ['1\xa0'], 'text'],
  ['exponents', ['1e5', '1E-2', '1.e+5'], 'float'],
  ['numbers beyond float64', ['1e400', '20000000000000000e292', '-1e309', '1.5'], 'float'],
  ['zero with an exponent beyond float64', ['0e310', '2'], 'float'],
  ['the largest float', ['1.7976931348623157e308', '5e-324', '1e-400'], 'float'],
  ['infinity', ['inf', '-Infinity', '+INF', '1'], 'float'],
  ['nan in words unknown to pandas', ['+nan', '1'], 'text'],
  ['hexadecimal', ['0x10'], 'text'],
  ['digits of another script', ['٣'], 'text'],
  ['a comma in a number', ['1,000'], 'text'],
  ['numbers above int64', [BIG, '1'], 'unsigned'],
  ['numbers above int64 and negative ones', [BIG, '-1'], 'text'],
  ['numbers above int64 and a missing cell', [BIG, ''], 'text'],
  ['numbers above int64 and a fraction', [BIG, '1.5'], 'refused'],
  ['numbers above uint64', [HUGE, '1'], 'refused'],
  ['numbers above uint64 and text', [HUGE, 'x'], 'text'],
  ['more digits than Python reads', ['1'.repeat(4301), '1'], 'text'],
  ['a whole -0', ['-0', '1'], 'range'],
  ['a whole -0 beside a fraction', ['-0', '1.5'], 'refused'],
  ['-0.0', ['-0.0', '1.5', '2'], 'float'],
  ['numbers beyond 2^53 beside a fraction', ['+100000000000000504', '0e0'], 'refused'],
  ['numbers up to 2^53 beside a fraction', ['9007199254740992', '1.5', '-9007199254740992'], 'float'],
  ['infinity in white space', ['1', ' inf'], 'text'],
  ['text in the last row only', ['1', '2', '3', 'x'], 'text'],
]

for (const [what, cells, expected] of TABLE) {
  test(`${what}: ${expected}, in the whole column and however it is split`, async () => {
    assert.equal(await agree(cells), expected)
  })
}

const CELLS = [
  ...[
    '1',
    '2',
    '3',
    '-4',
    '007',
    '1.5',
    '-0',
    '+7',
    ' 8 ',
    '1e3',
    '.5',
    '5.',
    '.',
    '-',
    '+',
    '',
    ' ',
    'NA',
    'nan',
    'None',
  ],
  ...[
    'inf',
    '-inf',
    ' inf',
    'True',
    'false',
    'x',
    BIG,
    `-${BIG}`,
    HUGE,
    `-${HUGE}`,
    '9007199254740993',
    'é',
    '\0',
    '1\0',
  ],
  ...['1e', '1e+', 'e5', '1 2', '- 1', '--1', '1.5.2', 'infinity ', 'infin', '0x1f', '1_0', '1d2', '\ufeff1', '\x1c1'],
]

test('random columns have the kind that pandas infers, however they are split', async () => {
  const columns = fc
    .uniqueArray(fc.constantFrom(...CELLS), { minLength: 1, maxLength: 3 })
    .chain(pool => fc.array(fc.constantFrom(...pool), { minLength: 1, maxLength: 5 }))
  await fc.assert(
    fc.asyncProperty(columns, async cells => {
      await agree(cells)
    }),
    { numRuns: 400 },
  )
})

test('random numbers have the kind that pandas infers, however they are split', async () => {
  const digits = fc.stringMatching(/^[ ]?[+-]?[0-9]{0,20}[.]?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?[ ]?$/)
  await fc.assert(
    fc.asyncProperty(fc.array(digits, { minLength: 1, maxLength: 3 }), async cells => {
      fc.pre(cells.every(cell => cell.trim() !== ''))
      await agree(cells)
    }),
    { numRuns: 300 },
  )
})

test('arithmetic progressions are ranges where pandas says so', async () => {
  const sequences = fc.record({
    first: fc.integer(),
    step: fc.integer({ min: -3, max: 3 }),
    count: fc.nat(6),
    odd: fc.nat(12),
  })
  await fc.assert(
    fc.asyncProperty(sequences, async ({ first, step, count, odd }) => {
      const cells = Array.from({ length: count + 1 }, (_, at) => String(first + step * at + (at === odd ? 1 : 0)))
      await agree(cells)
    }),
    { numRuns: 150 },
  )
})

const OPTIONS: readonly (readonly [Given, readonly string[], string])[] = [
  [{ na_values: [9] }, ['1', '9.00'], 'float'],
  [{ na_values: ['9'] }, ['1', '9'], 'float'],
  [{ na_values: '9.5' }, ['1', '9.50', '9.5'], 'float'],
  [{ na_values: [9] }, ['True', '9.0'], 'refused'],
  [{ na_values: ['-'] }, ['1', '-'], 'float'],
  [{ na_values: ['-'], keep_default_na: false }, ['1', '-', ''], 'text'],
  [{ na_values: ['007'] }, ['7', '07', '8'], 'float'],
  [{ na_values: ['x1'] }, ['1', 'x1', 'y'], 'text'],
  [{ na_values: { ID: ['q'] } }, ['1', 'q', ''], 'float'],
  [{ na_values: { ID: ['q'] }, keep_default_na: false }, ['1', 'q', ''], 'text'],
  [{ na_values: { A: ['q'] } }, ['1', 'q', ''], 'text'],
  [{ na_values: { A: ['q'] } }, ['1', ''], 'float'],
  [{ keep_default_na: false }, ['1', ''], 'text'],
  [{ keep_default_na: false }, ['nan', 'nan'], 'text'],
  [{ na_filter: false }, ['1', '2'], 'range'],
  [{ na_filter: false }, ['', ''], 'text'],
  [{ true_values: ['yes'], false_values: ['no'] }, ['yes', 'no', 'True'], 'boolean'],
  [{ true_values: ['yes'] }, ['yes', 'no'], 'text'],
]

for (const [readCsv, cells, expected] of OPTIONS) {
  test(`${JSON.stringify(readCsv)} makes ${JSON.stringify(cells)} ${expected}, as in pandas`, async () => {
    assert.equal(await agree(cells, readCsv), expected)
  })
}

test('the words for missing values are those of pandas, which knows None since 2.0', async () => {
  const words = await oracle.ask<string[]>('words')
  const ours = [...DEFAULT_NA_WORDS].sort()
  assert.deepEqual(words.answer!.includes('None') ? ours : ours.filter(word => word !== 'None'), words.answer)
})

test('a refused kind names the line and the cure', () => {
  const inference = new IndexKindInference(indexRules({}, 'ID'))
  for (const [index, cell] of ['True', 'False', ''].entries()) inference.add(cell, index + 2)
  assert.throws(() => inference.kind('f.csv'), /^RowmillError: f\.csv: .*\(line 4\).*{"dtype": {"ID": "str"/)
})

test('a column without rows is text, and every kind is listed', () => {
  assert.equal(infer([]), 'text')
  for (const [, cells, expected] of TABLE) {
    assert.ok(expected === 'refused' || INDEX_KINDS.some(kind => kind === infer(cells)))
  }
})
