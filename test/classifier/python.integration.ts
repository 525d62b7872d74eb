import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PythonClassifier } from '../../src/classifier/python/python.ts'
import { type ErrorCode, RowmillError } from '../../src/errors.ts'
import type { Values } from '../../src/model.ts'
import { FIXTURES, fixture, jobOf, PYTHON, started } from './serial.ts'

const JOB = jobOf({ columns: ['ID', 'A'], indexKind: 'integer' })
const ROWS = ['1', '2', '3', '4'].map(value => [`10${value}`, value])
const BATCH = { job: JOB, rows: ROWS, seqs: [40, 41, 42, 43] }

const cast = (...casts: [string, string][]) => ({
  ...BATCH,
  job: { ...JOB, options: [...JOB.options, { name: 'cast', value: JSON.stringify(casts) }] },
})

/** The error of a promise, with a check of its code and of parts of its message. */
async function failure(promise: Promise<unknown>, code: ErrorCode, ...parts: (string | RegExp)[]) {
  const error = await promise.then(
    () => assert.fail(`expected ${code}`),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof RowmillError, String(error))
  assert.equal(error.code, code, error.message)
  for (const part of parts) {
    assert.ok(typeof part === 'string' ? error.message.includes(part) : part.test(error.message), error.message)
  }
  return error
}

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-python-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o755 })
  return folder
}

function startOnly(
  target: string,
  { python = PYTHON, cwd = FIXTURES, onOutput = (_: string) => {} } = {},
): Promise<void> {
  const classifier = new PythonClassifier({ python, target, cwd, onOutput })
  return classifier.start().finally(() => classifier.close())
}

test('start reports the versions and an 8-byte fingerprint that changes with the file', async t => {
  const folder = await folderWith(t, {
    'a.py': 'def classify_df(df): pass\n',
    'b.py': 'def classify_df(df): return df\n',
  })
  const [a, again, b] = [
    await started(t, join(folder, 'a.py')),
    await started(t, join(folder, 'a.py')),
    await started(t, join(folder, 'b.py')),
  ]
  assert.match(`${a.runtime.versions['python']} ${a.runtime.versions['pandas']}`, /^3\.\d+\.\d+ \d+\.\d+\.\d+/)
  assert.equal(typeof a.runtime.quotesCarriageReturn, 'boolean')
  assert.equal(a.fingerprint.length, 8)
  assert.deepEqual(a.fingerprint, again.fingerprint)
  assert.notDeepEqual(a.fingerprint, b.fingerprint)
})

test('the file is imported as `python FILE` would run it, but not as __main__', async t => {
  const classifier = new PythonClassifier({
    python: PYTHON,
    target: fixture('looks_around.py'),
    cwd: tmpdir(),
    onOutput: () => {},
  })
  t.after(() => classifier.close())
  await classifier.start()
  const { columns, rows } = await classifier.classify(BATCH)
  const saw = Object.fromEntries(columns.map((column, at) => [column, rows[0]![at]]))
  assert.deepEqual(
    { ...saw, ID: undefined, A: undefined },
    {
      ...{
        ID: undefined,
        A: undefined,
        name: 'looks_around',
        argv: "['looks_around.py']",
        path: 'fixtures',
        stdin: '',
      },
      ...{ cwd: basename(tmpdir()), neighbour: 'beside the classifier', host_on_path: 'False' },
    },
  )
})

test('a function is found in a module by its dotted name, from the working directory', async t => {
  const classifier = new PythonClassifier({ python: PYTHON, target: 'good:a_float', cwd: FIXTURES, onOutput: () => {} })
  t.after(() => classifier.close())
  await classifier.start()
  const { columns } = await classifier.classify(BATCH)
  assert.deepEqual(columns, ['ID', 'A', 'SCORE'])
})

test('a batch without rows gives the columns', async t => {
  const classifier = await started(t, 'examples/black_box.py')
  const answer = await classifier.classify({ job: JOB, rows: [], seqs: [] })
  assert.deepEqual(answer, { columns: ['ID', 'A', 'CLASSIFICATION'], kinds: ['empty', 'empty', 'empty'], rows: [] })
})

test('kinds show where values drift between batches', async t => {
  const classifier = await started(t, 'bad.py:drifting')
  const kinds = async (...values: string[]) => {
    const rows = values.map(value => ['1', value])
    return (await classifier.classify({ job: JOB, rows, seqs: null })).kinds.join(' ')
  }
  assert.equal(await kinds('1', '2'), 'integer text integer')
  assert.equal(await kinds('1', '3'), 'integer text whole')
  assert.equal(await kinds('3', '3'), 'integer text empty')
  assert.equal(await kinds('1', '2', '3'), 'integer text whole')
})

test('missing values, flags, texts and other dtypes have their kinds', async t => {
  const classifier = await started(t, 'good.py:some_none')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: 'float' })
  const answer = await classifier.classify({
    job,
    rows: [
      ['1', '4'],
      ['', '5'],
      ['2', '3'],
    ],
    seqs: null,
  })
  assert.deepEqual(answer.columns, ['ID', 'A', 'FLOAT', 'TEXT', 'FLAG'])
  assert.deepEqual(answer.kinds, ['whole', 'text', 'float', 'text', 'boolean'])
  const dates = await started(t, 'good.py:dates')
  const kind = async (...days: string[]) => {
    const rows = days.map(day => ['1', day])
    return (await dates.classify({ job, rows, seqs: null })).kinds[2]
  }
  const [day, second] = [await kind('2024-01-01', '2024-01-02'), await kind('2024-01-01 10:00:00')]
  assert.match(`${day}, ${second}`, /^datetime64\[\w+\] day, datetime64\[\w+\] second$/)
  assert.equal(await kind(''), 'empty')
})

test('values that pandas formats by the whole column have a kind of their own', async t => {
  const kind = async (name: string, value: string, toCsv: Record<string, unknown> = {}) => {
    const classifier = await started(t, `column_types.py:${name}`)
    const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer', toCsv })
    return (await classifier.classify({ job, rows: [['1', value]], seqs: null })).kinds[2]
  }
  assert.deepEqual([await kind('narrow_floats', 'n'), await kind('narrow_floats', 'y')], ['float32', 'float'])
  const [second, day] = [await kind('dated_categories', 'n'), await kind('dated_categories', 'y')]
  assert.match(`${second}, ${day}`, /^category\[datetime64\[\w+\] second\], category\[datetime64\[\w+\] day\]$/)
  assert.equal(await kind('half', 'y'), 'float')
  assert.equal(await kind('half', 'y', { float_format: '%.2f' }), 'whole')
  assert.equal(await kind('half', 'y', { decimal: ',' }), 'whole')
})

test('numbers and missing values that pandas may write otherwise beside others have a kind of their own', async t => {
  const classifier = await started(t, 'column_types.py:values')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer' })
  const kind = async (...values: string[]) => {
    const rows = values.map(value => ['1', value])
    return (await classifier.classify({ job, rows, seqs: null })).kinds[2]
  }
  assert.equal(await kind('one', 'large'), 'unsigned')
  assert.equal(await kind('one', 'below'), 'negative')
  assert.equal(await kind('below', 'large'), 'object integer')
  assert.deepEqual([await kind('none', 'none'), await kind('none', 'gone')], ['empty', 'missing'])
  assert.deepEqual([await kind('half', 'text'), await kind('half', 'text', 'one')], ['mixed float', 'mixed'])
  assert.deepEqual([await kind('listed'), await kind('listed', 'half')], ['mixed', 'mixed float'])
})

test('categories have their kind even if none of them occurs, and so have floats of dropped rows', async t => {
  const kinds = async (name: string, values: string[], rows?: string) => {
    const classifier = await started(t, `column_types.py:${name}`)
    const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer' })
    const options = [...job.options, ...(rows ? [{ name: 'rows', value: rows }] : [])]
    const batch = { job: { ...job, options }, rows: values.map(value => ['1', value]), seqs: null }
    return (await classifier.classify(batch)).kinds.slice(2)
  }
  assert.deepEqual(await kinds('categories_of_numbers', ['none']), ['missing'])
  assert.deepEqual(await kinds('categories_of_numbers', ['one', 'none']), ['category[float64]'])
  assert.deepEqual(await kinds('some_dropped', ['none'], 'any'), ['empty', 'dropped float'])
})

test('a header without the labels of an index of two levels is refused: the sink would leave out one of them', async t => {
  const classifier = await started(t, 'column_types.py:two_index_levels')
  const classify = (toCsv: Record<string, unknown>) =>
    classifier.classify({
      job: jobOf({ columns: ['ID', 'A'], indexKind: 'integer', toCsv }),
      rows: [['1', 'x']],
      seqs: null,
    })
  for (const label of [false, []])
    await failure(classify({ header: true, index_label: label }), 'USAGE', 'has 2 levels', 'index_label=["a", "b"]')
  for (const toCsv of [
    { header: true },
    { header: false, index_label: false },
    { header: true, index_label: ['i', 'a'] },
  ])
    assert.deepEqual((await classify(toCsv)).rows, [['1', 'x', 'x']])
})

test('a str Enum is written as its text, as csv.writer does', async t => {
  const classifier = await started(t, 'column_types.py:labels')
  const { rows } = await classifier.classify({ job: JOB, rows: [['1', 'x']], seqs: null })
  assert.deepEqual(rows, [['1', 'x', 'good']])
})

test('batches sent together are answered in order, even if they are larger than any pipe', async t => {
  const classifier = await started(t, 'good.py:whole_numbers')
  const large = 'x'.repeat(130_000)
  const job = jobOf({ columns: ['ID', 'A', 'B'], indexKind: 'integer' })
  const batches = Array.from({ length: 8 }, (_, at) => {
    const rows: Values[] = Array.from({ length: 40 }, (_, row) => [String(row), String(at), large])
    return classifier.classify({ job, rows, seqs: null })
  })
  for (const [at, { rows }] of (await Promise.all(batches)).entries()) {
    assert.equal(rows.length, 40)
    assert.deepEqual(rows[39], ['39', String(at), large, String(at)])
  }
})

test('what the function prints goes to onOutput and harms nothing', async t => {
  let said = ''
  const classifier = await started(t, 'bad.py:prints', text => {
    said += text
  })
  assert.equal((await classifier.classify(BATCH)).rows.length, 4)
  await classifier.close()
  for (const line of ['to standard output\n', 'to standard error\n', 'past the buffer\n'])
    assert.ok(said.includes(line), said)
})

test('a function that prints 20 MB neither blocks nor piles up memory', async t => {
  let [characters, longest] = [0, 0]
  const classifier = await started(t, 'bad.py:floods', text => {
    characters += text.length
    longest = Math.max(longest, text.length)
  })
  assert.equal((await classifier.classify(BATCH)).rows.length, 4)
  await classifier.close()
  assert.equal(characters, 2000 * 10_001)
  assert.ok(longest < 200_000, `a part of ${longest} characters`)
})

test('a function that closes its standard output can continue', async t => {
  const classifier = await started(t, 'bad.py:closes_output')
  await classifier.classify(BATCH)
  assert.equal((await classifier.classify(BATCH)).rows.length, 4)
})

test('an exception comes with only the frames of the user, and the next batch is served', async t => {
  const classifier = await started(t, 'bad.py:raises')
  const error = await failure(
    classifier.classify(BATCH),
    'CLASSIFIER_FAILED',
    'bad.py:raises failed on rows 40 to 43: ValueError: three is not allowed',
    'in fails_on_three',
    'in raises',
  )
  assert.doesNotMatch(error.message, /host\w*\.py|site-packages/)
  assert.deepEqual(
    [error.facts.seqFirst, error.facts.seqLast, error.facts.rows, error.facts.type],
    [40, 43, 4, 'ValueError'],
  )
  assert.equal((await classifier.classify({ ...BATCH, rows: ROWS.slice(0, 2), seqs: [0, 1] })).rows.length, 2)
})

test('sys.exit and KeyboardInterrupt in the function are failures, not exits', async t => {
  const leaver = await started(t, 'bad.py:exits')
  await failure(leaver.classify(BATCH), 'CLASSIFIER_FAILED', 'SystemExit: leaving')
  await failure(leaver.classify(BATCH), 'CLASSIFIER_FAILED', 'SystemExit: leaving')
  const other = await started(t, 'bad.py:interrupts')
  await failure(other.classify(BATCH), 'CLASSIFIER_FAILED', 'KeyboardInterrupt')
})

test('Ctrl-C, which reaches every process of a terminal, does not end the classifier', async t => {
  const classifier = await started(t, 'bad.py:ignores_ctrl_c')
  assert.equal((await classifier.classify(BATCH)).rows.length, 4)
})

const BROKEN_CONTRACTS: Record<string, [target: string, ...parts: string[]]> = {
  'no frame': ['returns_text', 'returned str for rows 40 to 43, not a DataFrame'],
  'fewer rows': ['fewer_rows', 'returned 3 rows for 4 (rows 40 to 43)'],
  'another order': ['sorted_rows', 'row 40 has id 101, but the result has 104', 'do not sort'],
  'another index': ['new_index', 'row 40 has id 101, but the result has 0', 'no reset_index'],
  'two levels of columns': ['two_levels', '2 levels'],
  'text that is no Unicode': ['surrogate', "'BAD'", 'surrogate'],
}

for (const [name, [target, ...parts]] of Object.entries(BROKEN_CONTRACTS)) {
  test(`a function that returns ${name} breaks the contract, and the error says how`, async t => {
    const classifier = await started(t, `bad.py:${target}`)
    await failure(classifier.classify(BATCH), 'CLASSIFIER_CONTRACT', ...parts)
  })
}

test('a row with more values than the header is malformed', async t => {
  const classifier = await started(t, 'good.py:whole_numbers')
  const rows = [
    ['1', '2'],
    ['1', '2', '3'],
  ]
  await failure(classifier.classify({ job: JOB, rows, seqs: [8, 9] }), 'ROW_MALFORMED', 'row 9 has 3 values')
})

test('rows that do not fit the index kind are named', async t => {
  const classifier = await started(t, 'good.py:whole_numbers')
  const batch = { job: JOB, rows: [['abc', '2']], seqs: [8] }
  await failure(classifier.classify(batch), 'CLASSIFIER_FAILED', 'row 8', 'index kind integer', '--index-kind')
  const job = jobOf({ ...JOB, indexKind: 'boolean' })
  const flags = {
    job,
    rows: [
      ['True', '2'],
      ['no', '2'],
    ],
    seqs: [8, 9],
  } // prettier-ignore
  await failure(classifier.classify(flags), 'CLASSIFIER_FAILED', "row 9: 'no' is no boolean", 'index kind')
})

test('a job without an index column is numbered by seq, even across two blocks', async t => {
  const classifier = await started(t, 'good.py:whole_numbers')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: null, readCsv: { index_col: null } })
  const { rows } = await classifier.classify({ job, rows: ROWS, seqs: [98, 99, 400, 401] })
  assert.deepEqual(
    rows.map(row => row[0]),
    ['98', '99', '400', '401'],
  )
})

test('casts are applied before the cells are written', async t => {
  const classifier = await started(t, 'bad.py:keeps_columns')
  const { rows, kinds } = await classifier.classify(cast(['N', 'int64'], ['A', 'float64']))
  assert.deepEqual(rows[0], ['101', '1.0', 'x', '1'])
  assert.deepEqual(kinds, ['integer', 'whole', 'text', 'integer'])
  await failure(classifier.classify(cast(['M', 'int64'])), 'USAGE', '--cast M=int64', 'It has A, TEXT, N')
  await failure(classifier.classify(cast(['A', 'flot64'])), 'USAGE', '--cast A=flot64', 'knows no such dtype')
  await failure(
    classifier.classify(cast(['A', 'V2000000000'])),
    'USAGE',
    '--cast A=V2000000000',
    'takes 2000000000 bytes',
  )
  const wide = jobOf({ columns: ['ID', 'A'], indexKind: null, readCsv: { dtype: { A: 'V1500000000' } } })
  await failure(classifier.classify({ job: wide, rows: ROWS, seqs: null }), 'USAGE', '--read-csv dtype V1500000000')
  const error = await failure(
    classifier.classify(cast(['TEXT', 'int64'])),
    'CLASSIFIER_CONTRACT',
    "first bad value 'x'",
  )
  assert.deepEqual([error.facts.column, error.facts.dtype], ['TEXT', 'int64'])
})

test('options of to_csv that the host cannot honour are refused before the function runs', async t => {
  const classifier = await started(t, 'bad.py:leaves')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer', toCsv: { mode: 'r' } })
  await failure(classifier.classify({ ...BATCH, job }), 'USAGE', '--to-csv mode="r"')
})

test('a list of header names that is too short or too long names the columns', async t => {
  const classifier = await started(t, 'bad.py:keeps_columns')
  const job = jobOf({ columns: ['ID', 'A'], indexKind: 'integer', toCsv: { header: ['X'] } })
  await failure(classifier.classify({ ...BATCH, job }), 'USAGE', '--to-csv header: it lists 1 names', 'A, TEXT, N')
})

test('an async function is awaited, without a Python warning', async t => {
  const said: string[] = []
  const classifier = await started(t, 'good.py:asynchronous', text => said.push(text))
  for (let call = 0; call < 2; call++) assert.equal((await classifier.classify(BATCH)).rows.length, 4)
  await classifier.close()
  assert.deepEqual(said, [])
})

const UNSTARTABLE: Record<string, [code: ErrorCode, target: string, ...parts: (string | RegExp)[]]> = {
  'a missing file': ['CLASSIFIER_NOT_FOUND', 'goud.py', 'goud.py does not exist', 'There is good.py'],
  'a directory': ['CLASSIFIER_NOT_FOUND', './', 'is a directory'],
  'a missing function': ['CLASSIFIER_NOT_FOUND', 'good.py:a_flaot', 'no function a_flaot', 'There is a_float'],
  'the default function missing': ['CLASSIFIER_NOT_FOUND', 'good.py', 'no function classify_df'],
  'a missing module': ['CLASSIFIER_NOT_FOUND', 'nowhere.to_be:found', 'no module nowhere.to_be'],
  'an import error': [
    'CLASSIFIER_UNLOADABLE',
    'not_importable.py',
    "KeyError: 'missing'",
    'in prepare',
    /^(?!.*host\w*\.py)/s,
  ],
  'a broken syntax': ['CLASSIFIER_UNLOADABLE', 'quote.txt', 'SyntaxError'],
}

for (const [name, [code, target, ...parts]] of Object.entries(UNSTARTABLE)) {
  test(`start refuses ${name} with ${code}`, async t => {
    const folder = await folderWith(t, { 'quote.txt': 'def classify_df(df:\n' })
    await failure(startOnly(target === 'quote.txt' ? join(folder, target) : target), code, ...parts)
  })
}

test('output of a program that is not Python is not mistaken for answers of a classifier', async () => {
  const said: string[] = []
  const error = await failure(
    startOnly('good.py:a_float', { python: '/bin/ls', onOutput: text => said.push(text) }),
    'PYTHON_UNUSABLE',
    '/bin/ls',
  )
  assert.match(error.message, /--python/)
  assert.deepEqual(said, [])
})

test('a code that ends its process while it is imported is named, and not the interpreter', async t => {
  const folder = await folderWith(t, { 'leaves.py': 'import os\nos._exit(3)\n' })
  const error = await failure(startOnly(join(folder, 'leaves.py')), 'CLASSIFIER_UNLOADABLE', 'exit code 3', 'leaves.py')
  assert.doesNotMatch(error.message, /interpreter|--python/)
})

test('an interpreter that is missing, not Python, or without pandas is PYTHON_UNUSABLE with a cure', async t => {
  const folder = await folderWith(t, {
    'no-site': `#!/bin/sh\nexec '${PYTHON}' -S "$@"\n`,
    'no-python': '#!/bin/sh\necho this is no python >&2\nexit 3\n',
    'pandas.py': "__version__ = '1.4.9'\n",
    'job.py': 'def classify_df(df): pass\n',
  })
  const use = (python: string, target = 'good.py:a_float') => startOnly(target, { python })
  await failure(use('no-such-python'), 'PYTHON_UNUSABLE', 'no-such-python', 'no such program', '--python')
  await failure(use(join(folder, 'no-python')), 'PYTHON_UNUSABLE', 'exit code 3', 'this is no python', '--python')
  await failure(use(join(folder, 'no-site')), 'PYTHON_UNUSABLE', "No module named 'pandas'", '--python')
  await failure(use(PYTHON, join(folder, 'job.py')), 'PYTHON_UNUSABLE', 'pandas 1.4.9', '--python')
})
