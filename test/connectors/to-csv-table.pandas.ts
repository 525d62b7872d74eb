/** Every argument of to_csv, alone and with those it interacts with: the bytes of pandas, or a refusal with its reason. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { FileSink } from '../../connectors/file-sink.ts'
import type { ClassifiedBatch } from '../../src/classifier/boundary.ts'
import type { PythonClassifier } from '../../src/classifier/python/python.ts'
import type { JobOption, Values } from '../../src/model.ts'
import { checkToCsv } from '../../src/pandas/to-csv.ts'
import { FIXTURES, PYTHON, started } from '../classifier/serial.ts'
import { testFolder } from '../helpers/cli.ts'

type ToCsv = Record<string, unknown>

const TEXTS = [
  'plain',
  '',
  'a,b',
  'a;b',
  'say "x"',
  "it's",
  'two\nlines',
  'cr\rlf\r\n',
  'back\\slash',
  'é ü',
  ' x ',
  'XY',
]
const ROWS: Values[] = Array.from({ length: 2 * TEXTS.length }, (_, at) => [
  `${at * at}`,
  TEXTS[at % TEXTS.length]!,
  `${at}`,
])
const COLUMNS = ['ID', 'A', 'N']
/** Whether csv.writer of this Python quotes a carriage return. */
const QUOTES_CR = { name: 'quotesCarriageReturn', value: String(pythonQuotesCarriageReturn()) }

interface Case {
  readonly toCsv: ToCsv
  readonly target?: string
  readonly file?: string
  /** What is in the file before, in hexadecimal. */
  readonly before?: string | null
}

function pythonQuotesCarriageReturn(): boolean {
  const script = `import csv, io; t = io.StringIO(); csv.writer(t, lineterminator='\\n').writerow(['a\\rb']); print(t.getvalue()[0] == '"')`
  return spawnSync(PYTHON, ['-c', script], { encoding: 'utf8' }).stdout.trim() === 'True'
}

/** What pandas writes for each case: its bytes, or its error. */
function ofPandas(cases: readonly Case[]): { bytes?: string; error?: string }[] {
  const given = cases.map(({ target = 'classify_df', file = 'out.csv', toCsv, before = null }) => [
    target,
    file,
    toCsv,
    before,
  ])
  const input = JSON.stringify({ rows: ROWS, cases: given })
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-B', join(FIXTURES, 'to_csv_table.py')], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

const optionsOf = (toCsv: ToCsv): JobOption[] => [
  { name: 'readCsv', value: '{}' },
  // to_csv writes a header unless told otherwise; the command line hands on what --header says.
  { name: 'toCsv', value: JSON.stringify({ header: true, ...toCsv }) },
  QUOTES_CR,
]

const classifiers = new Map<string, Promise<PythonClassifier>>()
after(async () => {
  for (const classifier of classifiers.values()) await (await classifier).close()
})

/** One process for each target, for all tests. */
function classifierOf(target = 'classify_df'): Promise<PythonClassifier> {
  const known = classifiers.get(target) ?? started({ after: () => {} }, `every_kind.py:${target}`)
  classifiers.set(target, known)
  return known
}

/** The results of all rows, in batches of 5. */
async function classify(toCsv: ToCsv, target?: string): Promise<ClassifiedBatch> {
  const classifier = await classifierOf(target)
  const job = { id: 'j', columns: COLUMNS, indexKind: 'integer', options: optionsOf(toCsv) }
  const batches: ClassifiedBatch[] = []
  for (let from = 0; from < ROWS.length; from += 5) {
    const rows = ROWS.slice(from, from + 5)
    batches.push(await classifier.classify({ job, rows, seqs: rows.map((_, at) => from + at) }))
  }
  return { ...batches[0]!, rows: batches.flatMap(({ rows }) => rows) }
}

/** The bytes that the file sink writes, or the error of whoever refuses. */
async function ofRowmill(t: TestContext, given: Case) {
  const { toCsv, target, file = 'out.csv', before = null } = given
  const path = join(testFolder(t), file)
  if (before !== null) writeFileSync(path, Buffer.from(before, 'hex'))
  try {
    const sink = new FileSink({ path, force: false, python: PYTHON, toCsv })
    try {
      await sink.open()
      const { columns, rows } = await classify(toCsv, target)
      await sink.begin({ columns, options: optionsOf(toCsv) })
      await sink.write(rows)
      await sink.commit({ job: 'j' })
    } finally {
      await sink.close()
    }
    return { bytes: readFileSync(path).toString('hex') }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    assert.ok(code, String(error))
    return { error: `${code} ${message}` }
  }
}

const text = (hex: string | undefined) => (hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('latin1'))

async function compare(t: TestContext, cases: readonly Case[], refused: RegExp | null = null): Promise<void> {
  const expected = ofPandas(cases)
  for (const [i, given] of cases.entries()) {
    const found = await ofRowmill(t, given)
    const what = JSON.stringify(given)
    // With ROWMILL_TEST_PYTHON: rowmill escapes quotes as pandas 3 does, and refuses to with an older one.
    if (/pandas [12]\.\S* does not escape quotes/.test(found.error ?? '')) continue
    if (refused) assert.match(found.error ?? 'no error', refused, what)
    else if (expected[i]!.error) assert.ok(found.error, `${what}: pandas raised ${expected[i]!.error}`)
    else assert.deepEqual([text(found.bytes), found.error], [text(expected[i]!.bytes), undefined], what)
  }
}

const VALUES: Record<string, unknown[]> = {
  na_rep: ['', 'NA', '0', 'a,"b'],
  float_format: ['%.2f', '%g', '%08.3e', null],
  date_format: ['%d.%m.%Y', '%Y', null],
  decimal: [',', '.', '·'],
  columns: [['int', 'A'], ['A'], [], null],
  index: [true, false],
  index_label: ['key', ['key'], [], false, '', null, 5],
  header: [
    true,
    false,
    ['a', 'b', 'c,d', '', '"', 'f', 'g', 'h', 'i', 'j', 'k'],
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11],
  ],
  quoting: [0, 1, 2, 3, null],
  sep: [';', '\t', '|', 'é'],
  quotechar: ["'", '|'],
  escapechar: ['\\', '!', null],
  doublequote: [true, false],
  lineterminator: ['\n', '\r\n', '\r', 'X', '--', '', null],
  chunksize: [1, 3, 1000, null],
  encoding: [
    'utf-8',
    'UTF8',
    'utf-8-sig',
    'latin-1',
    'cp1252',
    'utf-16',
    'utf-16-be',
    'utf_32',
    'ascii',
    'no-such-codec',
    null,
  ],
  errors: ['strict', 'replace', 'no-such-handler'],
  mode: ['w', 'x', 'a'],
  compression: [null, 'infer', 'bz2', 'xz', { method: 'gzip', mtime: 1 }],
}

for (const [name, values] of Object.entries(VALUES)) {
  test(`to_csv ${name} alone, with missing values and with every quoting: the bytes of pandas`, async t => {
    const alone = values.map(value => ({ toCsv: { [name]: value } }))
    const more = values.flatMap(value =>
      [1, 2, 3].map(quoting => ({ toCsv: { quoting, escapechar: '\\', na_rep: 'NULL', [name]: value } })),
    )
    await compare(t, [...alone, ...more])
  })
}

test('quoting, quotechar, escapechar, doublequote, sep and lineterminator in every combination: the bytes of pandas', async () => {
  const cases: Case[] = []
  for (const quoting of [0, 1, 2, 3])
    for (const quotechar of ['"', "'"])
      for (const escapechar of [null, '\\', '"'])
        for (const doublequote of [true, false])
          for (const sep of [',', ';', "'", 'X'])
            for (const lineterminator of ['\n', '\r\n', 'X'])
              cases.push({ toCsv: { quoting, quotechar, escapechar, doublequote, sep, lineterminator } })
  const expected = ofPandas(cases)
  const results = await Promise.all([0, 1, 2, 3].map(quoting => classify({ quoting })))
  const isOld = Number.parseInt((await classifierOf()).runtime.versions['pandas']!, 10) < 3
  let same = 0
  for (const [i, { toCsv }] of cases.entries()) {
    if (isOld && toCsv['quoting'] === 3 && toCsv['escapechar'] !== null) continue // the classifier refuses them
    const { columns, rows } = results[toCsv['quoting'] as number]!
    const write = () => {
      const format = new OutputFormat({ columns, options: optionsOf(toCsv) })
      return format.headerLine + format.lines(rows)
    }
    const what = JSON.stringify(toCsv)
    if (expected[i]!.error) assert.throws(write, { code: 'OUTPUT_FAILED' }, `${what}: ${expected[i]!.error}`)
    else {
      assert.equal(write(), Buffer.from(expected[i]!.bytes!, 'hex').toString(), what)
      same++
    }
  }
  assert.ok(same > cases.length / 3, `${same} of ${cases.length}`)
})

test('a function as float_format is looked up by the name that the write call gives it', async () => {
  const cases = [0, 2].map(quoting => ({ toCsv: { quoting, decimal: ',', money: true } }))
  const classifier = await classifierOf()
  for (const [i, { bytes }] of ofPandas(cases).entries()) {
    const { quoting } = cases[i]!.toCsv
    const call = { name: 'writeCall', value: `df.to_csv(OUT, quoting=${quoting}, decimal=',', float_format=money)` }
    const options = [...optionsOf({ quoting, decimal: ',' }), call]
    const job = { id: 'j', columns: COLUMNS, indexKind: 'integer', options }
    const { columns, rows, kinds } = await classifier.classify({ job, rows: ROWS, seqs: ROWS.map((_, at) => at) })
    const format = new OutputFormat({ columns, options })
    assert.equal(format.headerLine + format.lines(rows), Buffer.from(bytes!, 'hex').toString())
    assert.match(rows[1]![3]!, /^-?[\d.,]+ EUR$/)
    assert.equal(kinds[3], 'whole') // a formatted float, which drifts beside text
  }
})

test('labels that are numbers are quoted as csv.writer quotes them', async t => {
  const target = 'numbered'
  await compare(
    t,
    [0, 1, 2].flatMap(quoting => [true, false].map(index => ({ target, toCsv: { quoting, index } }))),
  )
})

test('a lone column, with empty cells and without index', async t => {
  const cases = [0, 1, 2, 3].map(quoting => ({ target: 'one', toCsv: { quoting, index: false, escapechar: '\\' } }))
  await compare(t, cases)
})

const ENCODINGS = [
  ...[
    'utf-8-sig',
    'utf-16',
    'utf-16-le',
    'utf-32',
    'utf-7',
    'latin-1',
    'iso8859-15',
    'cp1252',
    'cp437',
    'mac-roman',
    'koi8-r',
  ],
  ...[
    'ascii',
    'cp932',
    'shift_jis',
    'euc_jp',
    'iso2022_jp',
    'gbk',
    'gb18030',
    'big5',
    'hz',
    'euc_kr',
    'unicode_escape',
  ],
]

test('a file in any encoding, alone, packed and with a handler for what the encoding lacks', async t => {
  const cases = ENCODINGS.flatMap(encoding => [
    { toCsv: { encoding, errors: 'backslashreplace' } },
    { toCsv: { encoding, errors: 'ignore', header: false, columns: ['A', 'int'] }, file: 'out.csv.xz' },
  ])
  await compare(t, [...cases, { toCsv: { encoding: 'ascii', errors: 'xmlcharrefreplace', quoting: 1 } }])
})

test('a character that the encoding lacks is one error with row, column and cure', async () => {
  const toCsv = { encoding: 'latin-1' }
  await assert.rejects(classify(toCsv, 'euro'), {
    code: 'CLASSIFIER_CONTRACT',
    message:
      /column 'T' holds 'price €': latin-1 has no character for '€' \(U\+20AC\)\. Choose another encoding .*"errors"/,
  })
  const { rows } = await classify({ ...toCsv, columns: ['T'], errors: 'replace' }, 'euro')
  assert.equal(rows[3]![1], 'price €')
})

const before = Buffer.from('ID,A\n1,before\n').toString('hex')

test('mode a appends as pandas does: a header again, a byte order mark only at the start, another stream of a packed file', async t => {
  const mode = 'a'
  const packed = (script: string) =>
    spawnSync(PYTHON, [
      '-c',
      `import sys, ${script.split('.')[0]}; sys.stdout.buffer.write(${script}(b'ID,A\\n'))`,
    ]).stdout.toString('hex')
  await compare(t, [
    ...['utf-8', 'utf-8-sig', 'utf-16', 'latin-1'].flatMap(encoding =>
      [null, '', before].flatMap(there =>
        [true, false].map(header => ({ toCsv: { mode, encoding, header }, before: there })),
      ),
    ),
    { toCsv: { mode, compression: { method: 'gzip', mtime: 1 } }, before: packed('gzip.compress'), file: 'out.csv.gz' },
    { toCsv: { mode, encoding: 'utf-16' }, before: packed('bz2.compress'), file: 'out.csv.bz2' },
    { toCsv: { mode }, before: packed('lzma.compress'), file: 'out.csv.xz' },
  ])
  const archives = ['out.zip', 'out.tar'].map(file => ({ toCsv: { mode }, file }))
  await compare(t, archives, /USAGE .*mode="a": OUT .* would be an archive/)
})

test('mode x refuses a file that is there, and mode w does without --force', async t => {
  await compare(t, [{ toCsv: { mode: 'x' } }, { toCsv: { mode: 'x' }, file: 'out.tar.gz' }])
  await compare(
    t,
    [
      { toCsv: { mode: 'x' }, before },
      { toCsv: { mode: 'w' }, before },
    ],
    /OUTPUT_EXISTS/,
  )
})

test('every argument of the installed to_csv is in the table or refused', () => {
  const script = 'import inspect, pandas; print(*list(inspect.signature(pandas.DataFrame.to_csv).parameters)[1:])'
  const names = spawnSync(PYTHON, ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ')
  for (const name of names) {
    if (Object.hasOwn(VALUES, name)) continue
    assert.throws(() => checkToCsv({ [name]: 'x' }), { code: 'USAGE', message: /it cannot be honoured/ }, name)
  }
})
