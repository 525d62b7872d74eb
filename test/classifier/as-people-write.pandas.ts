/**
 * Classifiers as people write them (people/*.py): in batches of 1, 7 and 100 rows each writes what its original job writes,
 * or is refused with the reason. docs/classifiers.md says each.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { IsolatingClassifier } from '../../src/classifier/isolating.ts'
import { openClassifier } from '../../src/classifier/open.ts'
import { RowmillError } from '../../src/errors.ts'
import { type Classified, classifyInMemory } from '../../src/testing/in-memory.ts'
import { differsByCut, testPipeline } from '../../src/testing/pipeline.ts'
import { testJob } from '../../src/testing/test-job.ts'
import { PYTHON } from './serial.ts'

const SERIAL_JOB = fileURLToPath(new URL('../../examples/serial_job.py', import.meta.url))
const COLUMNS = ['ID', 'NAME', 'N', 'D', 'J']
const NAMES = ['red shoe', 'blue hat', 'red hat big', 'black bag', 'blue']
const ROWS = Array.from({ length: 43 }, (_, at) => {
  const day = `${String((at % 28) + 1).padStart(2, '0')}.0${(at % 9) + 1}.2024 ${String(at % 24).padStart(2, '0')}:30`
  return [String(at * at + 3), NAMES[at % 5]!, String(at * 7), day, `{"k": ${at}, "a": [1, "x"]}`]
})

/** How a classifier is called, and what its original job is. */
interface Written {
  readonly readCsv?: Record<string, unknown>
  readonly toCsv?: Record<string, unknown>
  readonly outputRows?: 'one' | 'any'
  /** Another function for examples/serial_job.py, which awaits nothing and calls no method. */
  readonly serial?: string
  /** The file is the whole original program: it writes out.csv. */
  readonly program?: string
}

const NUMBERED = { readCsv: { index_col: null }, toCsv: { index: false } }

const SAME: Record<string, Written> = {
  'apply_series.py': {},
  'returns_series.py': {},
  'returns_series.py:one_column': NUMBERED,
  'predict.py': {},
  'predict.py:model.classify': { serial: 'predict.py:same_model' },
  'callable_object.py': {},
  'partial.py': {},
  'cached.py': {},
  'model_file.py': {},
  'old_job.py': { program: 'old_job.py' },
  'argparse_at_import.py': { program: 'argparse_at_import.py' },
  'progress_bar.py': {},
  'logs.py': {},
  'processes.py': {},
  'spawned.py': {},
  'threads.py': {},
  'seeded.py': {},
  'time_zones.py': {},
  'categories.py': {},
  'regular_expressions.py': {},
  'json_cells.py': {},
  'dates.py': {},
  'own_group.py': {},
  'dataclass_model.py': {},
  'environment.py': {},
  'pkg.mod:classify': {},
  'cache_folder.py': {},
  'strict_warnings.py': {},
  'changes_folder.py': {},
  'config_beside.py': {},
  'default_arguments.py': {},
  'asynchronous.py': { serial: 'asynchronous.py:original' },
  'imports_host_frame.py': {},
  'host_frame.py:classify_df': {},
  'closes_descriptors.py': {},
  'other_labels.py:reset': NUMBERED,
  'other_labels.py:from_records': NUMBERED,
  'other_labels.py:padded': {},
  'other_labels.py:by_name': {},
  'other_rows.py:keep_some': { outputRows: 'any' },
  'other_rows.py:words': { outputRows: 'any' },
  'other_rows.py:some_words': { outputRows: 'any', ...NUMBERED },
  'other_rows.py:keep_and_number': { outputRows: 'any', ...NUMBERED },
  'other_rows.py:twice': { outputRows: 'any', ...NUMBERED },
  'other_rows.py:none': { outputRows: 'any' },
}

/** Each is refused with this code, for every row or for the whole job, and the message says this. */
const REFUSED: Record<string, readonly [code: string, message: RegExp, outputRows?: 'any']> = {
  'argparse_required.py': ['CLASSIFIER_UNLOADABLE', /SystemExit: 2\. .*below `if __name__ == '__main__':`/],
  'notebook.py': ['CLASSIFIER_UNLOADABLE', /'get_ipython' is not defined\. Only IPython has it.*remove the lines/],
  'pkg/mod.py:classify': ['CLASSIFIER_UNLOADABLE', /no known parent package.*--classifier package\.module:NAME/],
  'predict.py:Model': ['CLASSIFIER_NOT_FOUND', /Model, which is a class\. Name an object of it/],
  'generator.py': ['CLASSIFIER_CONTRACT', /returned a generator .*pd\.concat/],
  'other_rows.py:keep_some': ['CLASSIFIER_CONTRACT', /returned 0 rows for 1 .*--rows any/],
  'other_labels.py:reset': ['CLASSIFIER_CONTRACT', /returned another index.*no reset_index/],
  'other_labels.py:counted': ['CLASSIFIER_CONTRACT', /returned another index/],
  'other_rows.py:keep_and_number': ['CLASSIFIER_CONTRACT', /does not say which row.*no reset_index/, 'any'],
}

let folder: string
const cwd = process.cwd()

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'rowmill-people-'))
  cpSync(new URL('people', import.meta.url), folder, { recursive: true })
  process.chdir(folder)
  const format = new OutputFormat({ columns: COLUMNS, options: [{ name: 'toCsv', value: '{"header":true}' }] })
  writeFileSync('in.csv', format.headerLine + format.lines(ROWS))
})
after(() => {
  process.chdir(cwd)
  rmSync(folder, { recursive: true })
})

function originalJob(target: string, { readCsv = {}, toCsv = {}, serial = target, program }: Written): string {
  const quiet = { stdio: 'pipe' } as const
  if (program) execFileSync(PYTHON, [program], quiet)
  else {
    const json = ['--read-csv', JSON.stringify(readCsv), '--to-csv', JSON.stringify(toCsv)]
    const files = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    execFileSync(PYTHON, [SERIAL_JOB, ...files, '--header', '--classifier', serial, ...json], quiet)
  }
  return readFileSync('out.csv', 'utf8')
}

/** The rows in batches of several sizes, all in one process of the classifier. */
async function classified(target: string, { readCsv = {}, toCsv = {}, outputRows = 'one' }: Written) {
  const results: [batchRows: number, Classified][] = []
  const classifier = new IsolatingClassifier({
    open: () => openClassifier({ target, python: PYTHON, by: 'test', memoryMB: null, onOutput: () => {} }),
    timeoutMs: null,
    by: 'test',
    say: () => {},
  })
  try {
    for (const batchRows of [1, 7, 100]) {
      const options = { columns: COLUMNS, rows: ROWS, readCsv, toCsv, outputRows }
      const job = testJob(options, { partitions: 3, blockRows: batchRows })
      results.push([batchRows, await classifyInMemory(job, ROWS, { classifier, batchRows })])
    }
  } finally {
    await classifier.close()
  }
  return results
}

for (const [target, written] of Object.entries(SAME)) {
  const { toCsv = {}, outputRows } = written
  const given = [
    outputRows === 'any' ? ' with --rows any' : '',
    toCsv['index'] === false ? ' without an index' : '',
  ].join('')
  test(`${target}${given} writes the bytes of its original job`, async () => {
    const expected = originalJob(target, written)
    for (const [batchRows, { columns, rows, rejected }] of await classified(target, written)) {
      assert.deepEqual(rejected, [])
      const header = { name: 'toCsv', value: JSON.stringify({ ...toCsv, header: true }) }
      const format = new OutputFormat({ columns, options: [header] })
      assert.equal(format.headerLine + format.lines(rows), expected, `${batchRows} rows a batch`)
    }
  })
}

for (const [target, [code, message, outputRows]] of Object.entries(REFUSED)) {
  test(`${target} is refused by name${outputRows ? ' with --rows any' : ''}`, async () => {
    const common = { classifier: target, python: PYTHON, onOutput: () => {} }
    const options = { columns: COLUMNS, rows: ROWS.slice(0, 20), ...(outputRows ? { outputRows } : {}) }
    const rejects = await testPipeline({ ...options, ...common }).then(
      ({ rejects }) => rejects.map(({ reason, detail }) => ({ code: reason, message: detail })),
      error => {
        assert.ok(error instanceof RowmillError, String(error))
        return [error]
      },
    )
    assert.ok(rejects.length > 0, 'no row is refused')
    for (const reject of rejects) {
      assert.equal(reject.code, code, reject.message)
      assert.match(reject.message, message)
    }
  })
}

const BY_CUT: Record<string, readonly [expected: RegExp | null, written: Written]> = {
  'other_rows.py:some_words': [null, { outputRows: 'any' }],
  'other_rows.py:keep_and_number': [null, { outputRows: 'any', ...NUMBERED }],
  'other_rows.py:distinct': [/^row 5: \[\] with all rows at once, \[.* with batches of 1 row$/, { outputRows: 'any' }],
  'other_rows.py:sorted_and_numbered': [
    /Nor do these rows have the same results one by one/,
    { outputRows: 'any', ...NUMBERED },
  ],
  'other_labels.py:sorted_and_numbered': [/returned another index/, NUMBERED],
  'seeded.py:by_call': [/column NOISE/, {}],
}

for (const [target, [expected, written]] of Object.entries(BY_CUT)) {
  const { readCsv = {}, toCsv = {}, outputRows = 'one' } = written
  test(`${target} with --rows ${outputRows} ${expected ? 'depends' : 'does not depend'} on the cut`, async () => {
    const options = { columns: COLUMNS, rows: ROWS, readCsv, toCsv, outputRows }
    const found = await differsByCut({ ...options, classifier: target, python: PYTHON, onOutput: () => {} })
    if (expected === null) assert.equal(found, null)
    else assert.match(found ?? 'nothing', expected)
  })
}
