/** If the C engine of pandas reads a file differently from engine='python', that is logged; otherwise nothing is. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { CsvSource, type CsvSourceOptions } from '../../connectors/csv-source.ts'
import { brokerAddress } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_text')

/** Reads each text with both engines, shows a classifier its first column, and writes it. */
const BOTH_ENGINES = `
import io, json, sys
import pandas as pd
def written(text, engine, read_csv, to_csv):
    options = {'index_col': 0, 'dtype': 'str', **read_csv}
    frame = pd.read_csv(io.BytesIO(text.encode()), engine=engine, **options)
    if len(frame.columns): frame['SEEN'] = [f'<{cell}>' for cell in frame.iloc[:, 0]]
    return frame.to_csv(header=False, **to_csv)
print(json.dumps([[written(text, engine, *options) for engine in ('python', 'c')] for text, *options in json.load(sys.stdin)]))`

type File = readonly [
  text: string,
  readCsv?: Readonly<Record<string, unknown>>,
  toCsv?: Readonly<Record<string, unknown>>,
]

function bothEngines(files: readonly File[]): [string, string][] {
  const input = JSON.stringify(files.map(([text, readCsv = {}, toCsv = {}]) => [text, readCsv, toCsv]))
  const { status, stdout, stderr } = spawnSync(python, ['-c', BOTH_ENGINES], { input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

/** What the source logs about a file, which it reads to its end. */
async function saidOf(t: TestContext, text: string, more: Partial<CsvSourceOptions> = {}): Promise<string[]> {
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, text)
  const said: string[] = []
  const say = (message: string) => void said.push(message)
  const csv = new CsvSource({ path, readCsv: {}, delimiter: null, indexKind: null, say, ...more })
  try {
    await csv.open()
    for await (const _ of csv.rows());
    return said
  } finally {
    await csv.close()
  }
}

/** The content of each index, one row a cell. */
const INDEXES: readonly (readonly string[])[] = [
  ...[
    ['1', '2', '3'],
    ['007', '8'],
    ['10', '+8'],
    ['-0', '1'],
    ['-1', '5'],
    ['1 ', '2'],
    ['0', '10', '100'],
  ],
  ...[['1.5', '2.25'], ['1.50'], ['1', '2.5'], ['1e3', '2.5'], ['0.0', '-3.0'], ['0.00001'], ['2.5', ''], ['1', 'NA']],
  ...[['True', 'False'], ['TRUE', 'False'], ['true'], ['x', '007'], ['', ''], ['18446744073709551615', '1']],
  ...[
    ['9223372036854775807', '7'],
    ['1', '1'],
    ['inf', '1.5'],
    ['.5', '1.5'],
    ['12345678901234567.0', '1.5'],
  ],
]

test('an index that the engines write differently is logged with line and --index-kind text', async t => {
  const texts = INDEXES.map(cells => `ID,A\n${cells.map(cell => `${cell},x\n`).join('')}`)
  const written = bothEngines(texts.map(text => [text]))
  let differing = 0
  for (const [i, text] of texts.entries()) {
    const [byPython, byC] = written[i]!
    const said = await saidOf(t, text)
    assert.equal(said.length, byPython === byC ? 0 : 1, `${text} ${byPython} ${byC} ${said}`)
    if (byPython === byC) continue
    differing++
    const at = byPython.split('\n').findIndex((line, row) => line !== byC.split('\n')[row])
    assert.match(said[0]!, new RegExp(`in\\.csv, line ${at + 2}: .* index ID, .*give --index-kind text`))
  }
  assert.ok(differing > 8 && differing < INDEXES.length - 8, String(differing))
})

test('a line that only the python engine takes for blank is logged with its number', async t => {
  const lines = ['', ' ', '\t', ' \t ', '""', '" "', '\x0b', '\x1c', '\u00a0', '\u2003 ', '"\r"', ' ""', ',', '"",']
  const files = lines.flatMap(line => [
    ...(line.includes(',') ? [] : [[`A\nx\n${line}\ny\n`, { index_col: null }] as const]),
    [`ID,A\nx,y\n${line}\nz,y\n`, { index_col: 0 }] as const,
  ])
  const written = bothEngines(files)
  let differing = 0
  for (const [i, [text, readCsv]] of files.entries()) {
    const [byPython, byC] = written[i]!
    const said = await saidOf(t, text, { readCsv })
    assert.equal(said.length, byPython === byC ? 0 : 1, `${JSON.stringify(text)} ${byPython} ${byC} ${said}`)
    if (byPython === byC) continue
    differing++
    assert.match(said[0]!, /in\.csv, line 3: this line looks blank, .*no option for that/)
  }
  assert.ok(differing > 10, String(differing))
})

test('arguments that make the engines differ, or agree, are taken into account', async t => {
  const texts = ['1.5,a\n2.5,b\n', '007,a\n8,b\n', '1,a\n2,b\n', 'TRUE,a\n', 'a,x\nb\n', '1,x\n,y\n'].map(
    rows => `ID,TEXT\n${rows}`,
  )
  const readings = [
    {},
    ...['object', 'string', { TEXT: 'str' }, { ID: 'str', TEXT: 'str' }, { TEXT: 'object' }].map(dtype => ({ dtype })),
    { keep_default_na: false },
    { na_filter: false },
    { na_values: ['x'] },
  ]
  const writings = [{}, { float_format: '%.2f' }, { decimal: ',' }]
  const files: File[] = texts.flatMap(text =>
    readings.flatMap(readCsv => writings.map(toCsv => [text, readCsv, toCsv] as const)),
  )
  files.push(['\ufeff\nID,TEXT\n1,a\n', {}, {}])
  const written = bothEngines(files)
  for (const [i, [text, readCsv, toCsv]] of files.entries()) {
    const [byPython, byC] = written[i]!
    const said = await saidOf(t, text, { readCsv: readCsv!, toCsv: toCsv! })
    assert.equal(said.length > 0, byPython !== byC, JSON.stringify([files[i], byPython, byC, said]))
  }
})

test('a named engine or index silences the hint; a blank line of standard input is logged once', async t => {
  const text = 'ID,A\n007,x\n""\n008,y\n""\n'
  assert.equal((await saidOf(t, text)).length, 2)
  assert.deepEqual(await saidOf(t, text, { readCsv: { engine: 'python' } }), [])
  const onlyBlank = [
    await saidOf(t, text, { indexKind: 'integer' }),
    await saidOf(t, text, { readCsv: { dtype: { ID: 'str', A: 'str' } } }),
    await saidOf(t, text, { readCsv: { index_col: null } }),
    await saidOf(t, text, { path: '-', stdin: Readable.from([Buffer.from(text)]), indexKind: 'text' }),
  ]
  for (const said of onlyBlank) assert.match(said.join('\n'), /^[^\n]*line 3: this line looks blank[^\n]*$/)
})

test('a cell above the limit of the python engine is refused, with a hint that the C engine takes it', async t => {
  const long = 'x'.repeat(131_073)
  await assert.rejects(saidOf(t, `ID,A\n1,${long}\n`), {
    code: 'INPUT_CELL_TOO_LARGE',
    message: /The C engine, which read_csv uses unless engine= is given, has no limit/,
  })
})

test('lost leading zeros are logged once, and --index-kind text gives the bytes of the C engine', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(
    input,
    `id,name\n${Array.from({ length: 12 }, (_, i) => `${String(i + 1).padStart(5, '0')},a\n`).join('')}`,
  )
  const env = { ROWMILL_BROKERS: await brokerAddress() }
  const run = async (out: string, ...more: string[]) => {
    const args = ['run', input, join(folder, out), '--classifier', CLASSIFIER, '--workers', '1', ...more]
    const { code, stderr } = await rowmill(args, { env })
    assert.equal(code, 0, stderr)
    return { stderr, text: readFileSync(join(folder, out), 'utf8') }
  }
  const asPython = await run('python.csv')
  assert.equal(asPython.text, await serialJob(input, CLASSIFIER))
  assert.equal(asPython.stderr.match(/--index-kind text/g)?.length, 1, asPython.stderr)
  const asC = await run('c.csv', '--index-kind', 'text')
  assert.equal(asC.text, await serialJob(input, CLASSIFIER, { readCsv: { engine: 'c' } }))
  assert.doesNotMatch(asC.stderr, /engine/)
})
