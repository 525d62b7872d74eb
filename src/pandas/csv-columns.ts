import { RowmillError } from '../errors.ts'
import type { IndexRules } from './index-kind.ts'
import { checkReadCsv, indexRules, type ReadCsvPlan, refused } from './read-csv.ts'

/** Where a record begins in the (uncompressed) file. */
export interface RecordStart {
  readonly byte: number
  /** From 1. */
  readonly line: number
}

/** How the cells of a file become the columns of a job. */
export interface CsvColumns {
  /** The header to publish. */
  readonly columns: readonly string[]
  /** The column whose kind pandas infers over the whole file. Null: a dtype names it, or rows are numbered. */
  readonly inferredAt: number | null
  readonly numbered: boolean
  readonly indexRules: IndexRules
  /** Whether pandas first reads the index as text, by its dtype, before it infers the kind. */
  readonly indexReadAsText: boolean
  /** Where the first row begins. Null: there is none. */
  readonly first: RecordStart | null
  /** If the second row has this width, pandas takes the first row for index names. Null: it never does. */
  readonly indexNamedByWidth: number | null
}

export interface Head {
  readonly header: readonly string[]
  /** The cells of the first record after the header. Null: there is none. */
  readonly width: number | null
  readonly first: RecordStart | null
  /** The file, for messages. */
  readonly name: string
}

/**
 * Applies the arguments to the header and the first row. Throws USAGE if an argument names a column that does not
 * exist, and INPUT_FIELDS for a first row that pandas refuses or rowmill cannot reproduce.
 */
export function csvColumnsOf(plan: ReadCsvPlan, { header, width, first, name }: Head): CsvColumns {
  const longer = width === null ? 0 : width - header.length
  const columns = longer === 1 && takesUnnamedIndex(plan) ? ['', ...finalNames(header)] : header
  if (width !== null && width > columns.length) throw tooLong(plan, { header, width, first, name })
  const names = finalNames(columns)
  const used = usedColumns(plan, names)
  const missing =
    plan.dtypeNames && used.find(at => at !== indexAt(plan, names, used) && !named(plan, columns, names, at))
  if (typeof missing === 'number') {
    throw refused(
      'dtype',
      [...(plan.dtypeNames ?? [])],
      `it leaves out column ${names[missing]}, whose dtype pandas would infer over the whole column`,
    )
  }
  const at = indexAt(plan, names, used)
  const forced = at !== null && columns[at] !== '' && named(plan, columns, names, at)
  const indexName = at === null || columns[at] === '' ? null : names[at]!
  return {
    columns,
    inferredAt: forced ? null : at,
    numbered: at === null,
    indexRules: indexRules(plan.handedOn, indexName),
    indexReadAsText:
      columns === header && (plan.dtypeNames === null || (at !== null && named(plan, columns, names, at))),
    first,
    indexNamedByWidth: plan.names || width === null ? null : header.length + width,
  }
}

/**
 * Checks the arguments of read_csv for rows that were never in a file, under a header. Returns how these rows become
 * columns, and the arguments that workers apply. Throws USAGE naming argument, value and reason.
 */
export function csvColumnsOfEvents(
  readCsv: Readonly<Record<string, unknown>>,
  header: readonly string[],
): { csvColumns: CsvColumns; handedOn: ReadCsvPlan['handedOn'] } {
  const plan = checkReadCsv(readCsv, null)
  const ofFiles = Object.keys(readCsv).find(name => !Object.hasOwn(plan.handedOn, name))
  if (ofFiles !== undefined) {
    const reason = `events are not read from a file, so it does nothing: leave it out`
    throw refused(ofFiles, readCsv[ofFiles], reason)
  }
  return {
    csvColumns: csvColumnsOf(plan, { header, width: null, first: null, name: 'events' }),
    handedOn: plan.handedOn,
  }
}

/** Whether rows that are one cell longer than the header get their first column as an index without a name. */
function takesUnnamedIndex({ indexCol, usecols, handedOn }: ReadCsvPlan): boolean {
  const naValues = handedOn.na_values ?? null
  // pandas looks up the words for missing values by the name of the index, and fails if it has none.
  const naByColumn = typeof naValues === 'object' && naValues !== null && !Array.isArray(naValues)
  return indexCol === 0 && usecols === null && !naByColumn
}

function named({ dtypeNames }: ReadCsvPlan, columns: readonly string[], names: readonly string[], at: number): boolean {
  return dtypeNames !== null && (dtypeNames.has(names[at]!) || dtypeNames.has(columns[at]!))
}

function tooLong(plan: ReadCsvPlan, { header, width, first, name }: Head): RowmillError {
  const line = first?.line ?? 0
  const found = width ?? 0
  const why =
    found - header.length === 1 || plan.indexCol === null
      ? 'pandas would make an index of its first cells, which rowmill follows only with index_col=0, without usecols ' +
        'and without a dict of na_values'
      : 'quote a cell that holds the separator'
  return new RowmillError(
    'INPUT_FIELDS',
    `${name}, line ${line}: expected ${header.length} cells, found ${found}: ${why}. Repair the row or the header.`,
    { line, expected: header.length, found },
  )
}

function usedColumns({ usecols }: ReadCsvPlan, names: readonly string[]): readonly number[] {
  if (usecols === null) return names.map((_, at) => at)
  const used = usecols.map(column => (typeof column === 'number' ? column : names.indexOf(column)))
  const wrong = used.findIndex(at => at < 0 || at >= names.length)
  if (wrong >= 0) throw refused('usecols', usecols[wrong], `the header has no such column. It has ${names.join(', ')}`)
  return [...new Set(used)].sort((a, b) => a - b)
}

function indexAt({ indexCol }: ReadCsvPlan, names: readonly string[], used: readonly number[]): number | null {
  if (indexCol === null) return null
  const at = typeof indexCol === 'number' ? used[indexCol] : used.find(each => names[each] === indexCol)
  if (at !== undefined) return at
  throw refused(
    'index_col',
    indexCol,
    `the header has no such column. It has ${used.map(each => names[each]).join(', ')}`,
  )
}

/** The names pandas gives the columns: empty and repeated ones are renamed (pandas.io.common.mangle_dupe_names). */
function finalNames(header: readonly string[]): string[] {
  const names = header.map((name, at) => (name === '' ? `Unnamed: ${at}` : name))
  const taken = new Set(names)
  const indices = names.map((_, at) => at)
  const order = [...indices.filter(at => header[at] !== ''), ...indices.filter(at => header[at] === '')]
  const counts = new Map<string, number>()
  for (const at of order) {
    const base = names[at]!
    let name = base
    let count = counts.get(base) ?? 0
    while (count > 0) {
      counts.set(base, count + 1)
      name = `${base}.${count}`
      if (taken.has(name)) count++
      else count = counts.get(name) ?? 0
    }
    names[at] = name
    taken.add(name)
    counts.set(name, count + 1)
  }
  return names
}
