/**
 * The promise: the bytes of the original one-process job under the same pandas, however the rows are split and spread.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { brokerAddress } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.py')

const plain = (id: (i: number) => string, count: number) =>
  `ID,A,B,C\n${Array.from({ length: count }, (_, i) => `${id(i)},${i % 7},${i / 8},x${i}`).join('\n')}\n`

/** Files in which pandas treats some batches differently from others. */
const FILES: Record<string, string> = {
  'ids that are text only in the last row': plain(i => (i === 249 ? 'abc' : String(i)), 250),
  'ids with leading zeros': plain(i => String(i).padStart(6, '0'), 250),
  'an empty id': plain(i => (i === 130 ? '' : String(i)), 250),
  'ids that are floats from some row on': plain(i => (i < 200 ? String(i) : `${i}.5`), 250),
  'a column empty in one batch, NA words, quotes and short rows':
    'ID,A,B,C\r\n' +
    Array.from({ length: 230 }, (_, i) => {
      if (i < 100) return `${i},,"quoted ""${i}""",NA`
      if (i % 11 === 0) return `${i},null`
      return i % 5 === 0 ? `${i},"two\nlines, ${i}",None,nan` : `${i},v${i},,é😀${i}`
    }).join('\r\n'),
  'a long first row, blank lines and duplicate names':
    'A,A,__proto__\n\n7,1,2,3\n' +
    Array.from({ length: 220 }, (_, i) => `${i},${i},b${i},c\n${i % 9 ? '' : '\n'}`).join(''),
}

/** Workers, partitions and batch rows: each value at least once, with every file and every classifier. */
const CASES: [file: number, classifier: string, workers: number, partitions: number, batchRows: number][] = [
  [0, 'a_float', 1, 1, 100],
  [0, 'some_none', 3, 64, 7],
  [1, 'a_text', 2, 8, 1],
  [1, 'other_columns', 2, 5, 1000],
  [2, 'a_float', 2, 16, 7],
  [2, 'a_text', 1, 3, 100],
  [3, 'some_none', 2, 2, 100],
  [3, 'prints', 8, 32, 7],
  [4, 'a_text', 2, 7, 7],
  [4, 'some_none', 3, 12, 100],
  [4, 'other_columns', 1, 64, 1],
  [5, 'a_float', 2, 4, 100],
  [5, 'other_columns', 2, 8, 7],
]

for (const [fileIndex, classifier, workers, partitions, batchRows] of CASES) {
  const [name, content] = Object.entries(FILES)[fileIndex]!
  test(`${name}: ${classifier} with ${workers} workers, ${partitions} partitions, batches of ${batchRows}`, async t => {
    const folder = testFolder(t)
    const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    writeFileSync(input, content)
    const expected = await serialJob(input, `${CLASSIFIERS}:${classifier}`)
    const layout = ['--workers', String(workers), '--partitions', String(partitions), '--batch-rows', String(batchRows)]
    const run = await rowmill(['run', input, output, '--classifier', `${CLASSIFIERS}:${classifier}`, ...layout], {
      env: { ROWMILL_BROKERS: await brokerAddress() },
    })
    assert.equal(run.code, 0, run.stderr)
    assert.equal(readFileSync(output, 'utf8'), expected)
  })
}

test('options of the original job are honoured: separator, NA words, header, quoting and line ends', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(
    input,
    `ID;A;B\n${Array.from({ length: 150 }, (_, i) => `${i};${i % 3 ? 'NA' : '-'};"b;${i}"`).join('\n')}`,
  )
  const readCsv = { sep: ';', na_values: ['-'], keep_default_na: false }
  const toCsv = { header: true, quoting: 1, lineterminator: '\r\n', na_rep: 'none', sep: '|' }
  const expected = await serialJob(input, `${CLASSIFIERS}:a_float`, { readCsv, toCsv })
  const options = ['--read-csv', JSON.stringify(readCsv), '--to-csv', JSON.stringify(toCsv)]
  const run = await rowmill(['run', input, output, '--classifier', `${CLASSIFIERS}:a_float`, ...options], {
    env: { ROWMILL_BROKERS: await brokerAddress() },
  })
  assert.equal(run.code, 0, run.stderr)
  assert.equal(readFileSync(output, 'utf8'), expected)
})

test('a file without rows gives an empty file, or with --header what the original job wrote', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, 'ID,A,B\n')
  for (const header of [false, true]) {
    const output = join(folder, `out-${header}.csv`)
    const expected = await serialJob(input, `${CLASSIFIERS}:a_float`, { toCsv: { header } })
    const run = await rowmill(
      ['run', input, output, '--classifier', `${CLASSIFIERS}:a_float`, ...(header ? ['--header'] : [])],
      {
        env: { ROWMILL_BROKERS: await brokerAddress() },
      },
    )
    assert.equal(run.code, 0, run.stderr)
    assert.equal(readFileSync(output, 'utf8'), expected)
  }
})

test('IN may be gzip or standard input, OUT standard output: rows on stdout, messages on stderr', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  const content = FILES['ids with leading zeros']!
  writeFileSync(input, content)
  writeFileSync(`${input}.gz`, gzipSync(content))
  const env = { ROWMILL_BROKERS: await brokerAddress() }
  const classifier = ['--classifier', `${CLASSIFIERS}:prints`]
  const unzipped = await rowmill(['run', `${input}.gz`, '-', ...classifier], { env })
  assert.equal(unzipped.stdout, await serialJob(input, `${CLASSIFIERS}:prints`), unzipped.stderr)
  assert.match(unzipped.stderr, /hello from the classifier/)
  const piped = await rowmill(['run', '-', '-', '--index-kind', 'integer', ...classifier], { env, input: content })
  assert.equal(piped.stdout, unzipped.stdout, piped.stderr)
  assert.doesNotMatch(piped.stderr, /taken as text/)
  const asText = await rowmill(['run', '-', '-', ...classifier], { env, input: content })
  assert.match(asText.stdout, /^000000,/, 'an index that cannot be scanned first stays text')
  assert.match(
    asText.stderr,
    /standard input is read only once, so the index ID is taken as text.*--index-kind: integer/,
  )
})
