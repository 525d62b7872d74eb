/** The test kit, with classifiers in both languages, and compared with the same rows through a broker. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { CsvSource } from '../../connectors/csv-source.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Reject, Values } from '../../src/model.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { run } from '../../src/run.ts'
import { type Classifier, differsByCut, type TestPipelineOptions, testPipeline } from '../../src/testing.ts'
import { brokerAddress, testPipeline as pipelineOf, testKafka } from '../helpers/broker.ts'
import { testFolder } from '../helpers/cli.ts'
import { memorySink, readTopic } from '../helpers/pipeline.ts'
import { python } from '../helpers/python.ts'

const FIXTURES = join(import.meta.dirname, '../fixtures')
const PYTHON = join(FIXTURES, 'classifiers.py')
const THROWS = join(FIXTURES, 'bad_rows.py:throws')
const TYPESCRIPT = join(FIXTURES, 'bad-rows.ts')

const columns = ['ID', 'A']
const rowsOf = (count: number, a: (seq: number) => string): Values[] =>
  Array.from({ length: count }, (_, seq) => [`00${seq}`, a(seq)])
const GOOD = rowsOf(20, seq => `value ${seq}`)
const BAD = rowsOf(40, seq => ([3, 17, 39].includes(seq) ? 'bad' : 'good'))
const append = (rows: string[][], cell: (row: string[], index: number) => string | number) =>
  rows.map((row, index) => [...row, cell(row, index)])

test('a function gets the batches that a worker would cut, and the rows return in their order', async () => {
  const seen: string[][] = []
  const classifier: Classifier = rows => {
    seen.push(rows.map(([id]) => id!))
    return append(rows, ([id]) => id!.length)
  }
  const options = { classifier, columns, rows: GOOD, batchRows: 3, partitions: 2 }
  const { columns: names, rows, rejects, batches } = await testPipeline(options)
  assert.deepEqual(names, ['0', '1', '2'])
  assert.deepEqual(
    rows,
    GOOD.map(([id, a]) => [id, a, String(id!.length)]),
  )
  assert.deepEqual(rejects, [])
  assert.deepEqual(
    batches.map(seqs => seqs.length),
    [3, 3, 3, 3, 3, 3, 2],
  )
  assert.deepEqual(
    seen,
    batches.map(seqs => seqs.map(seq => GOOD[seq]![0])),
  )
})

test('in blocks of one row, as live events travel, a batch holds the rows of one partition', async () => {
  const classifier: Classifier = rows => rows
  const cut = { batchRows: 4, blockRows: 1, partitions: 3 }
  const { batches, rows } = await testPipeline({ classifier, columns, rows: GOOD.slice(0, 9), ...cut })
  assert.deepEqual(batches, [
    [0, 3, 6],
    [1, 4, 7],
    [2, 5, 8],
  ])
  assert.deepEqual(rows, GOOD.slice(0, 9))
})

test('an async function is called for one batch at a time', async () => {
  let inside = 0
  const classifier: Classifier = async rows => {
    assert.equal(++inside, 1)
    await turn()
    inside--
    return rows
  }
  const { rejects } = await testPipeline({ classifier, columns, rows: GOOD, batchRows: 2 })
  assert.deepEqual(rejects, [])
})

const throwing: Classifier = rows => {
  if (rows.some(([, a]) => a === 'bad')) throw new RangeError('no bad rows here')
  return append(rows, () => 'ok')
}

for (const [language, classifier, file] of [
  ['Python', THROWS, /bad_rows\.py/],
  ['TypeScript', `${TYPESCRIPT}:throws`, /bad-rows\.ts/],
  ['a function', throwing, /testing\.integration\.ts/],
] as const) {
  test(`${language}: rows at which it throws are rejects with the lines of its own code, and all others have a result`, async () => {
    const { rows, rejects } = await testPipeline({ classifier, python, columns, rows: BAD, batchRows: 10 })
    const good = BAD.filter(([, a]) => a === 'good')
    assert.deepEqual(
      rows.map(row => row.at(-1)),
      good.map(() => 'ok'),
    )
    assert.deepEqual(
      rejects.map(({ seq, reason, values }) => [seq, reason, values]),
      [3, 17, 39].map(seq => [seq, 'CLASSIFIER_FAILED', BAD[seq]]),
    )
    assert.match(rejects[0]!.detail, /no bad rows here/)
    assert.match(rejects[0]!.detail, file)
    assert.doesNotMatch(rejects[0]!.detail, /isolating|function\.ts|host\.py/)
  })
}

test('a function that dies is restarted, and one that takes too long times out, as in production', async () => {
  const said: string[] = []
  const onOutput = (text: string) => void said.push(text)
  const few = BAD.slice(0, 5)
  const died = await testPipeline({ classifier: `${TYPESCRIPT}:exits`, columns, rows: few, onOutput })
  assert.deepEqual(
    died.rejects.map(({ seq, reason }) => [seq, reason]),
    [[3, 'CLASSIFIER_DIED']],
  )
  assert.match(said.join(''), /the classifier is started again: /)
  const never: Classifier = rows => (rows.some(([, a]) => a === 'bad') ? new Promise(() => {}) : rows)
  const hung = await testPipeline({ classifier: never, columns, rows: few, batchTimeout: 0.05, onOutput })
  assert.deepEqual(
    hung.rejects.map(({ seq, reason }) => [seq, reason]),
    [[3, 'CLASSIFIER_TIMEOUT']],
  )
})

test('errors that would end the job are thrown: kinds that drift, a missing file, impossible options', async () => {
  const rows = rowsOf(4, () => 'x').map((row, seq) => [row[0]!, seq < 2 ? 'none' : 'x'])
  const drifts = { classifier: `${PYTHON}:drifts`, python, columns, rows, batchRows: 2 }
  const codeOf = (options: TestPipelineOptions) =>
    testPipeline(options).then(
      () => null,
      error => error.code,
    )
  assert.equal(await codeOf(drifts), 'KIND_DRIFT')
  assert.equal(await codeOf({ ...drifts, cast: { N: 'float64' } }), null)
  assert.equal(await codeOf({ ...drifts, classifier: join(FIXTURES, 'not-there.py') }), 'CLASSIFIER_NOT_FOUND')
  assert.equal(await codeOf({ ...drifts, classifier: rows => rows, cast: { A: 'str' } }), 'USAGE')
  assert.equal(await codeOf({ ...drifts, readCsv: { nrows: 7 } }), 'USAGE')
  assert.equal(await codeOf({ ...drifts, toCsv: { mode: 'r' } }), 'USAGE')
  assert.equal(await codeOf({ ...drifts, indexKind: 'number' }), 'USAGE')
  for (const cut of [{ batchRows: 0 }, { blockRows: 1.5 }, { partitions: -1 }])
    assert.equal(await codeOf({ ...drifts, ...cut }), 'USAGE')
})

test('without rows the classifier is asked once for its columns', async () => {
  const {
    columns: names,
    rows,
    batches,
  } = await testPipeline({ classifier: `${PYTHON}:a_text`, python, columns, rows: [] })
  assert.deepEqual([names, rows, batches], [['ID', 'A', 'SAID'], [], [[]]])
})

test('differsByCut is null for functions of single rows, in both languages, even with rejected rows', async () => {
  for (const classifier of [`${PYTHON}:a_text`, THROWS, `${TYPESCRIPT}:throws`, throwing])
    assert.equal(await differsByCut({ classifier, python, columns, rows: BAD }), null)
})

test('differsByCut names row, column and both cells of a function that looks at neighbouring rows', async () => {
  const number: Classifier = rows => append(rows, (_, index) => index)
  const found = await differsByCut({ classifier: number, columns, rows: GOOD }, [{ batchRows: 7 }])
  assert.equal(found, 'row 7, column 2: "7" with all rows at once, "0" with batches of up to 7 rows')
  const twice: Classifier = rows => append(rows, ([id], index) => (rows[index - 1]?.[0] === id ? 'again' : 'new'))
  const pairs = [...GOOD, ...GOOD].sort(([a], [b]) => (a! < b! ? -1 : 1))
  assert.match(
    (await differsByCut({ classifier: twice, columns, rows: pairs }))!,
    /"again" with all .*"new" with batches/,
  )
})

test('differsByCut finds rejects of some batches, failing batches, changing columns, and kinds that drift', async () => {
  const picky: Classifier = rows => {
    if (rows.length === 2) throw new Error('no pairs')
    return rows
  }
  const rows = GOOD.slice(0, 4)
  const found = await differsByCut({ classifier: picky, columns, rows }, [{ batchRows: 3 }, { batchRows: 2 }])
  assert.match(
    found!,
    /^2 rows together, row 0 first: CLASSIFIER_FAILED .*no pairs\. .*\(with batches of up to 2 rows\)$/,
  )
  const alone: Classifier = rows => {
    if (rows.length === 1) throw new Error('not alone')
    return rows
  }
  const rejects = await differsByCut({ classifier: alone, columns, rows }, [{ batchRows: 1 }])
  assert.match(
    rejects!,
    /^row 0: \["000","value 0"\] with .*, rejected \(CLASSIFIER_FAILED .*not alone\) with batches of 1 row$/,
  )
  const wide: Classifier = rows => (rows.length > 3 ? append(rows, () => 'x') : rows)
  const names = await differsByCut({ classifier: wide, columns, rows }, [{ batchRows: 3, partitions: 1 }])
  assert.equal(names, 'columns: ["0","1","2"] with all rows at once, ["ID","A"] with batches of up to 3 rows')
  const kinds = await differsByCut({
    classifier: `${PYTHON}:drifts`,
    python,
    columns,
    rows: [
      ['1', 'none'],
      ['2', 'x'],
    ],
  })
  assert.match(kinds!, /^batches of 1 row: .*column N is .*--cast 'N=float64'/)
})

interface Outcome {
  readonly columns: readonly string[]
  readonly rows: readonly Values[]
  readonly seqs: readonly number[]
  readonly rejects: readonly Pick<Reject, 'seq' | 'reason' | 'detail' | 'values'>[]
}

/** The same rows as a CSV file, through a broker. */
async function behindABroker(t: TestContext, options: TestPipelineOptions): Promise<Outcome> {
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, [options.columns, ...options.rows].map(cells => `${cells}\n`).join(''))
  const { pipeline } = await pipelineOf(t)
  const rows: Values[] = []
  let names: readonly string[] = []
  await run({
    ...{ python, pipeline, brokers: [await brokerAddress()], workers: 2 },
    ...{ classifier: options.classifier as string, batchRows: options.batchRows!, partitions: options.partitions! },
    source: new CsvSource({ path, readCsv: options.readCsv ?? {}, delimiter: null, indexKind: null }),
    sink: {
      ...memorySink(rows),
      begin: async header => {
        names = header!.columns
      },
    },
    options: [
      { name: 'toCsv', value: JSON.stringify(options.toCsv ?? {}) },
      { name: 'cast', value: JSON.stringify(Object.entries(options.cast ?? {})) },
      { name: 'maxRejects', value: '100%' },
    ],
  })
  const [copies] = await readTopic(await testKafka(), topicsOf(pipeline).rejects, 1)
  // some may be there twice
  const bySeq = new Map(copies!.map(({ value }) => [(value as Reject).seq!, value as Reject]))
  const rejects = [...bySeq.values()].sort((a, b) => a.seq! - b.seq!)
  return {
    columns: names,
    rows,
    seqs: options.rows.flatMap((_, seq) => (bySeq.has(seq) ? [] : [seq])),
    rejects: rejects.map(({ seq, reason, detail, values }) => ({ seq, reason, detail, values })),
  }
}

for (const [name, options] of Object.entries({
  Python: { classifier: THROWS, rows: BAD, readCsv: { na_values: ['good'] }, toCsv: { na_rep: '-' } },
  'Python, with a cast': { classifier: `${PYTHON}:drifts`, rows: rowsOf(30, seq => `${seq}`), cast: { N: 'float64' } },
  TypeScript: { classifier: `${TYPESCRIPT}:throws`, rows: BAD },
})) {
  test(`${name}: the kit gives the output of a real pipeline`, async t => {
    const given = { ...options, python, columns, batchRows: 7, partitions: 3 }
    const { batches, ...kit } = await testPipeline(given)
    assert.ok(batches.length > 3)
    assert.deepEqual(kit, await behindABroker(t, given))
  })
}

test('errors are those of the SDK', async () => {
  const error = await testPipeline({ classifier: 'nowhere.ts', columns, rows: GOOD }).catch(error => error)
  assert.ok(error instanceof RowmillError)
})
