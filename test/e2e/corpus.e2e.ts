/** Hard CSV files of our own making: the bytes of the old serial job, or a refusal where it refuses too. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { CsvSource } from '../../connectors/csv-source.ts'
import { FileSink } from '../../connectors/file-sink.ts'
import { decoding } from '../../src/classifier/decoding.ts'
import { PythonClassifier } from '../../src/classifier/python/python.ts'
import { jobOptions } from '../../src/cli/job-options.ts'
import { collect } from '../../src/collect/collector.ts'
import type { ErrorCode } from '../../src/errors.ts'
import type { JobOption, Values } from '../../src/model.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { publish } from '../../src/publish/publisher.ts'
import { Worker } from '../../src/work/worker.ts'
import { testKafka, testPipeline } from '../helpers/broker.ts'
import { python } from '../helpers/python.ts'

const CORPUS = join(import.meta.dirname, 'corpus')
const CLASSIFIER = `${join(import.meta.dirname, '../fixtures/classifiers.py')}:shows_rows`
/** Rows in a batch: each file is cut both ways. */
const CUTS = [2, 3]

/** What a file of the corpus needs beside its name; options.json has it for those that need any. */
interface FileOptions {
  readonly readCsv?: Readonly<Record<string, unknown>>
  readonly toCsv?: Readonly<Record<string, unknown>>
  /** Whether the names of the columns are written; true unless given. */
  readonly header?: boolean
  /** The code with which rowmill refuses what pandas refuses too. */
  readonly refused?: ErrorCode
}

const OPTIONS: Readonly<Record<string, FileOptions>> = JSON.parse(readFileSync(join(CORPUS, 'options.json'), 'utf8'))

/** What pandas reads and rowmill refuses (docs/csv.md). */
const REFUSED_BY_ROWMILL_ALONE: Readonly<Record<string, readonly [code: ErrorCode, reason: string]>> = {
  'blank-lines-kept.csv': ['USAGE', 'a blank line would be a row without any cell'],
  'header-none-for-columns.csv': ['USAGE', 'columns named by numbers are not supported'],
  'index-beyond-uint64.csv': ['INPUT_FIELDS', 'pandas decides over the whole column'],
  'index-booleans-and-a-missing-one.csv': ['INPUT_FIELDS', 'pandas decides over the whole column'],
  'index-large-number-beside-a-missing-one.csv': ['INPUT_FIELDS', 'pandas decides over the whole column'],
  'index-minus-zero-beside-fractions.csv': ['INPUT_FIELDS', 'pandas decides over the whole column'],
  'index-missing-beside-beyond-int64-without-dtype.csv': ['INPUT_FIELDS', 'pandas keeps words for missing values here'],
  'index-of-two-columns.csv': ['USAGE', 'the index is one column'],
  'long-rows-first-and-missing-beside-beyond-int64.csv': ['INPUT_FIELDS', 'pandas keeps words for missing values here'],
  'long-rows-in-a-skipped-column.csv': ['INPUT_FIELDS', 'a row is longer than the header, whatever usecols takes'],
  'long-rows-names-of-the-index-below.csv': ['INPUT_FIELDS', 'the names of the index on a line of their own'],
  'long-rows-numbered.csv': ['INPUT_FIELDS', 'a long first row is followed with index_col=0 only'],
  'separators-regular-expression.csv': ['USAGE', 'pandas reads more than one character as a regular expression'],
}

const FILES = readdirSync(CORPUS).filter(name => name !== 'options.json')
const ACCEPTED = FILES.filter(file => !OPTIONS[file]?.refused && !REFUSED_BY_ROWMILL_ALONE[file])

const folder = mkdtempSync(join(tmpdir(), 'rowmill-corpus-'))
const classifier = new PythonClassifier({ python, target: CLASSIFIER, onOutput: said => process.stderr.write(said) })
/** File to what Python raised in the serial job, or null. */
let raised: ReadonlyMap<string, string | null>

before(async () => {
  const [serial] = await Promise.all([runSerially(), classifier.start()])
  raised = serial
})
after(async () => {
  await classifier.close()
  rmSync(folder, { recursive: true })
})

async function runSerially(): Promise<Map<string, string | null>> {
  const script = join(import.meta.dirname, 'corpus_serial.py')
  const child = spawn(python, ['-B', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const jobs = FILES.map(file => {
    const { readCsv = {}, toCsv = {}, header = true } = OPTIONS[file] ?? {}
    const options = ['--read-csv', JSON.stringify(readCsv), '--to-csv', JSON.stringify(toCsv)]
    const paths = [join(CORPUS, file), join(folder, `${file}.serial`)]
    return [...paths, '--classifier', CLASSIFIER, ...options, ...(header ? ['--header'] : [])]
  })
  child.stdin.end(JSON.stringify(jobs))
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  assert.equal(code, 0)
  const errors: (string | null)[] = JSON.parse(output)
  return new Map(FILES.map((file, at) => [file, errors[at]!]))
}

function sourceOf(file: string): CsvSource {
  const readCsv = OPTIONS[file]?.readCsv ?? {}
  return new CsvSource({ path: join(CORPUS, file), readCsv, delimiter: null, indexKind: null })
}

function optionsOf(file: string): JobOption[] {
  const { readCsv = {}, toCsv = {}, header = true } = OPTIONS[file] ?? {}
  const quotes = { name: 'quotesCarriageReturn', value: String(classifier.runtime.quotesCarriageReturn) }
  return [
    ...jobOptions({ readCsv, delimiter: null, header, toCsv, cast: [], maxRejects: '0', outputRows: 'one' }),
    quotes,
  ]
}

/** Source, classifier and sink of rowmill without a broker between them, the rows cut into batches of `batchRows`. */
async function classifyCut(file: string, batchRows: number, output: string): Promise<void> {
  const given = optionsOf(file)
  const source = sourceOf(file)
  const sink = new FileSink({ path: output, force: false })
  try {
    await sink.open()
    const { columns, indexKind, options: found } = await source.open()
    const options = [...found, ...given]
    const all: Values[] = []
    for await (const { rows } of source.rows()) all.push(...rows)
    const job = { id: file, columns, indexKind, options }
    // A job without rows asks the classifier once all the same.
    const batches = Array.from({ length: Math.max(1, Math.ceil(all.length / batchRows)) }, (_, at) => {
      const from = at * batchRows
      const rows = all.slice(from, from + batchRows)
      return classifier.classify({ job, rows, seqs: rows.map((_, index) => from + index) })
    })
    const classified = await Promise.all(batches)
    await sink.begin({ columns: classified[0]!.columns, options })
    for (const { rows } of classified) await sink.write(rows)
    await sink.commit()
  } finally {
    await source.close()
    await sink.close()
  }
}

/** Latin-1 shows every byte as one character, also those that are no UTF-8. */
function assertSerialBytes(file: string, output: string): void {
  const expected = readFileSync(join(folder, `${file}.serial`), 'latin1')
  assert.equal(readFileSync(output, 'latin1'), expected, file)
}

test('the corpus has at least 100 files, and what names a file of it names one that is there', () => {
  assert.ok(FILES.length >= 100, `${FILES.length} files`)
  const known = ['readCsv', 'toCsv', 'header', 'refused']
  for (const [file, options] of Object.entries(OPTIONS)) {
    assert.ok(FILES.includes(file), `options.json: ${file}`)
    for (const name of Object.keys(options)) assert.ok(known.includes(name), `options.json: ${file}: ${name}`)
  }
  for (const file of Object.keys(REFUSED_BY_ROWMILL_ALONE)) assert.ok(FILES.includes(file), file)
})

let compared = 0

for (const file of FILES) {
  const outputs = CUTS.map(cut => [cut, join(folder, `${file}.${cut}`)] as const)
  const alone = REFUSED_BY_ROWMILL_ALONE[file]
  const code = alone?.[0] ?? OPTIONS[file]?.refused
  const expected = alone ? `rowmill refuses, ${alone[1]}: ${code}` : code ? `both refuse: ${code}` : 'same bytes'
  test(`${file}: ${expected}`, async () => {
    compared++
    const error = raised.get(file)
    if (code === undefined || alone) assert.equal(error, null)
    else assert.equal(typeof error, 'string', 'pandas refuses it')
    for (const [cut, output] of outputs) {
      if (code === undefined) {
        await classifyCut(file, cut, output)
        assertSerialBytes(file, output)
      } else {
        await assert.rejects(classifyCut(file, cut, output), { code })
        assert.ok(!existsSync(output), 'nothing is written')
      }
    }
  })
}

test('at least 100 files were compared', () => {
  assert.ok(compared >= 100, `${compared} files`)
})

test('every file that is read gives the same bytes as a job of one pipeline', async t => {
  const { pipeline, admin } = await testPipeline(t)
  const layout = { partitions: 3, blockRows: 3 }
  await ensureTopics(admin, pipeline, layout.partitions)
  const kafka = await testKafka()
  const say = (message: string) => process.stderr.write(`${message}\n`)
  const [stop, over] = [new AbortController(), new AbortController()]
  const worker = await Worker.open(
    { kafka, pipeline, say },
    { name: 'worker', classifier: decoding(classifier, 'worker'), batchRows: 4 },
  )
  const working = worker.run(stop.signal)
  working.catch(error => over.abort(error))
  const jobs = await JobLog.open(kafka, pipeline, say)
  const { signal } = over
  const runJob = async (file: string, job: string) => {
    const context = { kafka, pipeline, jobs, say, signal }
    const output = join(folder, `${file}.broker`)
    const source = sourceOf(file)
    try {
      const header = await source.open()
      const sink = new FileSink({ path: output, force: false })
      const options = optionsOf(file)
      await Promise.all([
        publish(context, source, { header, job, layout, options, by: 'test' }),
        collect(context, { job, sink }),
      ])
    } finally {
      await source.close()
    }
    assertSerialBytes(file, output)
  }
  try {
    const waiting = ACCEPTED.entries()
    const runJobs = async () => {
      for (const [at, file] of waiting) await runJob(file, `job-${at}`)
    }
    await Promise.all(Array.from({ length: 8 }, runJobs))
  } finally {
    over.abort(new Error('the test is over'))
    stop.abort()
    await working
    await Promise.all([worker.close(), jobs.close()])
  }
})
