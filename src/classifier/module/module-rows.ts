import { jsonOptionOf, rowsOption } from '../../core/job.ts'
import { RowmillError } from '../../errors.ts'
import { optionOf, type Values } from '../../model.ts'
import { markedNumber, markedText } from '../../pandas/number-marks.ts'
import { marksNumbers, toCsvOf } from '../../pandas/to-csv.ts'
import type { ClassifiedBatch, ClassifierBatch, ClassifierJob } from '../boundary.ts'
import type { Cell, Classifier } from '../classifier.ts'

/** The exports of a module: the function, and the names of its output columns or null. */
export interface ModuleExports {
  readonly classifier: Classifier
  readonly columns: readonly string[] | null
}

/** Arguments of read_csv that change the values of cells. Only pandas can apply them. */
const OF_PANDAS: readonly string[] = [
  'usecols',
  'true_values',
  'false_values',
  'na_values',
  'keep_default_na',
  'na_filter',
]

const ONLY_PYTHON =
  'the job was published with --read: pandas makes its frames, and this classifier is not Python. Publish it with --read-csv.'

/**
 * Calls a classifier in TypeScript for one batch. Pads short rows, and turns the returned cells into text. Throws
 * CLASSIFIER_CONTRACT unless it returns one row of cells for each row, ROW_MALFORMED if a row has more values than the
 * header, and anything that the function throws.
 */
export async function classifyWithModule(
  { classifier, columns }: ModuleExports,
  { job, rows, seqs }: ClassifierBatch,
): Promise<ClassifiedBatch> {
  const width = job.columns.length
  const input = rows.map((row, index) => {
    if (row.length > width) {
      const message = `${rowName(seqs, index)} has ${row.length} values, the header ${width} names.`
      throw new RowmillError('ROW_MALFORMED', message, { row: seqs?.[index] ?? null })
    }
    return row.length === width ? (row as string[]) : [...row, ...Array<string>(width - row.length).fill('')]
  })
  const any = rowsOption(job) === 'any'
  const entries = entriesOf(await classifier(input, job.columns), { count: rows.length, any })
  const lists = any ? entries.map(rowsOfEntry) : null
  const where = (at: number) => rowName(seqs, lists ? rowOf(lists, at) : at)
  const marks = marksNumbers(job)
  const cells = textOf(lists?.flat() ?? entries, { where, columns, marks })
  const names = columns ?? namesOf(cells[0]?.length ?? width, job.columns)
  const outputs = lists ? { outputs: lists.map(({ length }) => length) } : {}
  return { columns: marks ? names.map(markedText) : names, kinds: names.map(() => 'text'), ...outputs, rows: cells }
}

/** Throws USAGE if an option of the job asks for something that only pandas can do. */
export function checkModuleJob({ options }: ClassifierJob): void {
  if (optionOf(options, 'recipe') !== undefined) {
    throw new RowmillError('USAGE', ONLY_PYTHON, { options: 'recipe' })
  }
  const readCsv: Record<string, unknown> = jsonOptionOf({ options }, 'readCsv', '{}')
  const asked = OF_PANDAS.filter(name => (readCsv[name] ?? null) !== null).map(name => `--read-csv ${name}`)
  if (readCsv['dtype'] !== undefined && readCsv['dtype'] !== 'str') asked.push('--read-csv dtype')
  const { host, sink } = toCsvOf({ options })
  if (!sink.index_label) asked.push('--to-csv index_label')
  // Quoting is allowed: the sink does it.
  asked.push(...Object.keys(host).flatMap(name => (name === 'quoting' ? [] : [`--to-csv ${name}`])))
  const casts: [string, string][] = jsonOptionOf({ options }, 'cast', '[]')
  asked.push(...casts.map(([column]) => `--cast ${column}`))
  if (asked.length === 0) return
  const message = `${asked.join(', ')}: only pandas can do that, and this classifier is not Python. Do it in the classifier.`
  throw new RowmillError('USAGE', message, { options: asked.join(', ') })
}

function entriesOf(output: unknown, { count, any }: { count: number; any: boolean }): unknown[] {
  if (!Array.isArray(output)) throw contract(`it returned ${nameOf(output)} instead of a list of rows.`)
  if (output.length !== count) {
    const cure = any ? 'Return a list of rows for each row' : 'Mark rows in a column instead of dropping them'
    throw contract(`it returned ${output.length} rows for ${count}. ${cure}.`)
  }
  return Array.from(output) // unlike `map`, it leaves no holes
}

/** With `--rows any` an entry is a row, or a list of rows. */
function rowsOfEntry(entry: unknown): unknown[] {
  return Array.isArray(entry) && entry.every(row => Array.isArray(row)) ? entry : [entry]
}

/** The row to which an output row belongs. */
function rowOf(outputs: readonly unknown[][], at: number): number {
  let left = at
  return outputs.findIndex(({ length }) => {
    left -= length
    return left < 0
  })
}

function textOf(
  output: readonly unknown[],
  {
    where: nameAt,
    columns,
    marks,
  }: { where: (at: number) => string; columns: readonly string[] | null; marks: boolean },
): Values[] {
  const width = columns?.length ?? (Array.isArray(output[0]) ? output[0].length : 0)
  return output.map((row, index) => {
    const where = () => nameAt(index)
    if (!Array.isArray(row)) throw contract(`${where()}: it returned ${nameOf(row)} instead of a list of cells.`)
    if (row.length !== width) {
      const wanted = columns ? `its export columns has ${width} names` : `the first row has ${width}`
      throw contract(`${where()}: it returned ${row.length} cells, ${wanted}.`)
    }
    for (let i = 0; i < width; i++) {
      const isText = typeof row[i] === 'string'
      if (!isText) row[i] = cellText(row[i], where, i)
      else if (!row[i].isWellFormed())
        throw contract(`${where()}: cell ${i} holds a lone surrogate, which is not valid text.`)
      if (marks) row[i] = isText || row[i] === '' ? markedText(row[i]) : markedNumber(row[i])
    }
    return row as Values
  })
}

function cellText(cell: Cell | object, where: () => string, index: number): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number' || typeof cell === 'bigint' || typeof cell === 'boolean') return String(cell)
  throw contract(`${where()}: cell ${index} is ${nameOf(cell)}. Return text, a number, a boolean or null.`)
}

function namesOf(width: number, header: readonly string[]): readonly string[] {
  return width === header.length ? header : Array.from({ length: width }, (_, index) => String(index))
}

function rowName(seqs: readonly number[] | null, index: number): string {
  return seqs ? `row ${seqs[index]}` : `row ${index} of the batch`
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? `an object (${value.constructor?.name ?? 'without class'})` : `a ${typeof value}`
}

function contract(what: string): RowmillError {
  return new RowmillError('CLASSIFIER_CONTRACT', `the classifier broke its contract: ${what}`)
}
