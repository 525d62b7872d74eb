import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ClassifiedBatch, ClassifierJob } from '../../src/classifier/boundary.ts'
import { PythonClassifier } from '../../src/classifier/python/python.ts'
import type { Values } from '../../src/model.ts'
import { python as PYTHON } from '../helpers/python.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export { PYTHON }
export const FIXTURES = join(ROOT, 'test/classifier/fixtures')

/** One job, for the serial job and for the classifier. `target` is a fixture, FILE[:NAME]. */
export interface Case {
  readonly target: string
  readonly columns: readonly string[]
  readonly rows: readonly Values[]
  readonly indexKind: string | null
  readonly readCsv?: Record<string, unknown>
  readonly toCsv?: Record<string, unknown>
}

export function fixture(target: string): string {
  return target.includes('/') ? resolve(ROOT, target) : join(FIXTURES, target)
}

export async function started(t: Pick<TestContext, 'after'>, target: string, onOutput = (_text: string) => {}) {
  const classifier = new PythonClassifier({ python: PYTHON, target: fixture(target), onOutput })
  t.after(() => classifier.close())
  await classifier.start()
  return classifier
}

export function jobOf({ columns, indexKind, readCsv = {}, toCsv = {} }: Omit<Case, 'rows' | 'target'>): ClassifierJob {
  const options = [
    { name: 'readCsv', value: JSON.stringify(readCsv) },
    { name: 'toCsv', value: JSON.stringify(toCsv) },
  ]
  return { id: 'job', columns, indexKind, options }
}

/** The file that examples/serial_job.py writes for each of `given`, with the header line. */
export async function serialFiles(given: readonly Case[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-serial-'))
  try {
    const jobs: string[][] = []
    for (const [at, { columns, rows, target, readCsv = {}, toCsv = {} }] of given.entries()) {
      const [input, output] = [join(folder, `${at}-in.csv`), join(folder, `${at}-out.csv`)]
      await writeFile(input, [columns, ...rows].map(csvLine).join(''))
      const options = ['--read-csv', JSON.stringify(readCsv), '--to-csv', JSON.stringify(toCsv), '--header']
      jobs.push([input, output, '--classifier', fixture(target), ...options])
    }
    await python('serial_jobs.py', jobs)
    return await Promise.all(jobs.map(([, output]) => readFile(output!, 'utf8')))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Each list of rows as csv.writer writes it with the given arguments. */
export async function quoted(
  lists: readonly (readonly [readonly Values[], Record<string, unknown>])[],
): Promise<string[]> {
  return JSON.parse(await python('quote.py', lists)) as string[]
}

export interface InstalledPandas {
  readonly major: number
  /** Whether it keeps texts by pyarrow. */
  readonly hasArrow: boolean
  /** The names of the arguments of its read_csv. */
  readonly readCsv: readonly string[]
}

/** The pandas of the tests. */
export async function installedPandas(): Promise<InstalledPandas> {
  const has = "bool(importlib.util.find_spec('pyarrow'))"
  const script = `import importlib.util, inspect, pandas; print(pandas.__version__, ${has}, *inspect.signature(pandas.read_csv).parameters)`
  const { stdout } = await promisify(execFile)(PYTHON, ['-c', script])
  const [version = '', hasArrow, ...readCsv] = stdout.trim().split(' ')
  return { major: Number.parseInt(version, 10), hasArrow: hasArrow === 'True', readCsv }
}

export async function python(script: string, input: unknown): Promise<string> {
  const child = spawn(PYTHON, ['-B', join(FIXTURES, script)], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(input))
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  assert.equal(code, 0, script)
  return output
}

/** A quoted empty text matters only as the single value of a row, since a blank line is no row. */
function csvLine(values: Values): string {
  return `${values.map(value => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)).join(',')}\n`
}

/** The rows of `given` classified in batches of `batchRows`. All batches are sent before the first answer. */
export async function classifyCut(classifier: PythonClassifier, given: Case, batchRows: number) {
  const job = jobOf(given)
  const batches: Promise<ClassifiedBatch>[] = []
  for (let from = 0; from < given.rows.length; from += batchRows) {
    const rows = given.rows.slice(from, from + batchRows)
    batches.push(classifier.classify({ job, rows, seqs: rows.map((_, index) => from + index) }))
  }
  return await Promise.all(batches)
}
