/** Floats, and columns that drift, as this pandas writes them over the whole file. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { floatText } from '../../src/core/float-text.ts'
import { CellRules } from '../../src/core/whole-columns.ts'
import { testPipeline } from '../../src/testing/pipeline.ts'
import { fixture, PYTHON, serialFiles } from '../classifier/serial.ts'
import { seeded } from '../helpers/seeded.ts'

/** The cells that to_csv makes of the doubles on standard input. */
const FLOATS = `
import sys
import numpy as np, pandas as pd
values = np.frombuffer(sys.stdin.buffer.read(), dtype='float64')
frame = pd.DataFrame({'plain': values, 'quoted': values})
plain = frame[['plain']].to_csv(header=False, index=False, na_rep='nan', lineterminator='\\n')
quoted = frame[['quoted']].to_csv(header=False, index=False, na_rep='nan', lineterminator='\\n', quoting=1)
assert plain == quoted.replace('"', '')
sys.stdout.write(plain)`

function ofPandas(values: Float64Array): string[] {
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', FLOATS], {
    input: Buffer.from(values.buffer),
    maxBuffer: 2 ** 28,
  })
  assert.equal(status, 0, stderr.toString())
  return stdout.toString().split('\n').slice(0, -1)
}

/** The doubles beside a value: the next ones below and above. */
function around(value: number): number[] {
  const bits = new BigInt64Array(new Float64Array([value]).buffer)[0]!
  return [-2n, -1n, 0n, 1n, 2n].map(step => new Float64Array(new BigInt64Array([bits + step]).buffer)[0]!)
}

test('floats are written as pandas writes them: random ones, and both sides of every threshold', t => {
  const below = seeded(t)
  const random = () => below(2 ** 30) / 2 ** 30
  const bits = Float64Array.from(
    new Float64Array(Uint32Array.from({ length: 60_000 }, () => below(2 ** 16) * 2 ** 16 + below(2 ** 16)).buffer),
  )
  const powers = Array.from({ length: 640 }, (_, i) => around(Number(`1e${i - 323}`))).flat()
  const others = [
    2 ** 53,
    1e16,
    1e-4,
    9.999e-5,
    123456789012345680,
    5e-324,
    Number.MAX_VALUE,
    0.1,
    1 / 3,
    1e21,
    1e22,
  ].flatMap(around)
  const integers = Array.from({ length: 5000 }, () => Math.floor((random() - 0.5) * 10 ** (20 * random())))
  const edges = [
    0,
    -0,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number('18446744073709551615'),
    Number('-9223372036854775808'),
  ]
  const values = Float64Array.from(
    [...bits, ...powers, ...others, ...integers, ...edges].flatMap(value => [value, -value]),
  )
  const expected = ofPandas(values)
  const found = Array.from(values, value => floatText(value))
  const at = found.findIndex((text, i) => text !== expected[i])
  assert.equal(at, -1, `${values[at]}: ${found[at]}, and pandas writes ${expected[at]}`)
})

/** For each of the given arguments of to_csv the cells of a column of floats, which were these integers. */
const INTEGERS = `
import json, sys
import pandas as pd
texts, calls = json.load(sys.stdin)
frame = pd.DataFrame({'value': pd.Series([int(text) for text in texts], dtype='object').astype('float64')})
lines = [frame.to_csv(header=False, index=False, lineterminator='\\n', **call).split('\\n') for call in calls]
json.dump(lines, sys.stdout)`

test('integers in a column of floats are written as pandas writes them, on both sides of every threshold', t => {
  const below = seeded(t)
  const near = (power: bigint) => [-2n, -1n, 0n, 1n, 2n].map(step => power + step)
  const powers = [...Array(20).keys()].flatMap(digits => near(10n ** BigInt(digits)))
  const edges = [2n ** 53n, 2n ** 63n, 2n ** 64n - 3n].flatMap(near)
  const random = Array.from({ length: 2000 }, () => (BigInt(below(2 ** 30)) ** 2n) >> BigInt(below(60)))
  const texts = [...powers, ...edges, ...random].flatMap(value => [`${value}`, `${-value}`])
  const formats = [null, '%.0f', '%.1f', '%.2f', '%.15f']
  const calls = formats.flatMap(float_format =>
    ['.', ','].flatMap(decimal => [0, 1, 2].map(quoting => ({ float_format, decimal, quoting }))),
  )
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', INTEGERS], {
    input: JSON.stringify([texts, calls]),
    maxBuffer: 2 ** 28,
  })
  assert.equal(status, 0, stderr.toString())
  const expected: string[][] = JSON.parse(stdout.toString())
  for (const [i, toCsv] of calls.entries()) {
    const options = [{ name: 'toCsv', value: JSON.stringify(toCsv) }]
    const rules = new CellRules({ options })
    const format = new OutputFormat({
      columns: ['value'],
      options: [{ name: 'toCsv', value: JSON.stringify({ ...toCsv, index: false, lineterminator: '\n' }) }],
    })
    const mark = toCsv.quoting === 2 ? '\0' : ''
    const found = format.lines(texts.map(text => [rules.floatOf(mark + text)])).split('\n')
    const at = found.findIndex((line, row) => line !== expected[i]![row])
    assert.equal(
      at,
      -1,
      `${JSON.stringify(toCsv)}: ${texts[at]} is ${found[at]}, and pandas writes ${expected[i]![at]}`,
    )
  }
})

const TIMES = ['', '', '', ' 00:00:00', ' 10:30:00', ' 23:59:59.5', ' 00:00:00.000001', ' 00:00:00.000000001']
const NUMBERS = ['1', '2', '-30', '9007199254740993', '0.5', '4.0', '']
const TO_CSV = [
  {},
  { chunksize: 1 },
  { chunksize: 7, quoting: 2, index: false },
  { decimal: ',', chunksize: 20, na_rep: 'NULL' },
  { float_format: '%.2f', quoting: 1, columns: ['zoned', 'number', 'date'] },
  { date_format: '%d.%m.%Y', chunksize: 5 },
  { quoting: 2, decimal: ',' },
]

test('columns that drift are written as over the whole file, whatever the batches, the chunks and the arguments', async t => {
  const below = seeded(t)
  const pick = <T>(values: readonly T[], most = values.length) => values[below(most)]!
  const columns = ['ID', 'N', 'D']
  for (const toCsv of TO_CSV) {
    // Long stretches of one kind, so that many batches come out otherwise than the whole.
    const rows: string[][] = []
    while (rows.length < 60) {
      const [numbers, times] = [1 + below(NUMBERS.length), 1 + below(TIMES.length)]
      for (let i = below(12); i >= 0; i--) {
        const date = below(10) === 0 ? '' : `2024-0${pick([1, 2, 3])}-1${pick([1, 2, 3])}${pick(TIMES, times)}`
        rows.push([`${rows.length ** 2}`, pick(NUMBERS, numbers), date])
      }
    }
    // The last ones decide: without them a column could be of integers, or without a time.
    rows.push(['9999', '', ''], ['10001', '7.0', '2024-02-01 00:00:01'])
    const target = 'drifting.py'
    const [expected] = await serialFiles([{ target, columns, rows, indexKind: 'integer', toCsv }])
    for (const batchRows of [1, 9]) {
      const classified = await testPipeline({
        classifier: fixture(target),
        python: PYTHON,
        columns,
        rows,
        toCsv,
        batchRows,
      })
      assert.deepEqual(classified.rejects, [])
      assert.deepEqual(
        asFile(classified, toCsv),
        unquoted(expected!, toCsv).split('\n'),
        `${JSON.stringify(toCsv)}, batches of ${batchRows}`,
      )
    }
  }
})

/** The test kit gives texts without the marks of numbers. So with QUOTE_NONNUMERIC the quotes are compared elsewhere. */
const unquoted = (text: string, toCsv: Record<string, unknown>) =>
  toCsv['quoting'] === 2 ? text.replaceAll('"', '') : text

function asFile(
  { columns, rows }: { columns: readonly string[]; rows: readonly (readonly string[])[] },
  toCsv: Record<string, unknown>,
) {
  const plain = { ...toCsv, header: true, lineterminator: '\n' }
  const format = new OutputFormat({ columns, options: [{ name: 'toCsv', value: JSON.stringify(plain) }] })
  return unquoted(format.headerLine + format.lines(rows), toCsv).split('\n')
}
