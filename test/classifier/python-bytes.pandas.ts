import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PythonClassifier } from '../../src/classifier/python/python.ts'
import type { Values } from '../../src/model.ts'
import { type Case, classifyCut, quoted, serialFiles, started } from './serial.ts'

const ROWS = 105
const CUTS = [1, 7, 100, 1000]
const PLAIN = ['ID', 'A', 'B', 'C']

const rowsOf = (row: (at: number) => Values): Values[] => Array.from({ length: ROWS }, (_, at) => row(at))
const plain = (id: (at: number) => string) => rowsOf(at => [id(at), String(at), `b${at % 5}`, ''])
const seen = { target: 'good.py:seen', columns: PLAIN }
/** Ids with uneven steps: pandas reads even steps as a RangeIndex. */
const uneven = (at: number) => String(at * at)

const CASES: Record<string, Case> = {
  'integer ids': { ...seen, rows: plain(uneven), indexKind: 'integer' },
  'running ids, a RangeIndex in the serial job': { ...seen, rows: plain(at => String(5 + 2 * at)), indexKind: 'range' },
  'ids that are text only in the last row': {
    ...seen,
    rows: plain(at => (at < ROWS - 1 ? `00${at}` : 'abc')),
    indexKind: 'text',
  },
  'text ids, some of them NA words': {
    ...seen,
    rows: plain(at => (at % 9 ? `${at}` : 'NA')).concat([['x']]),
    indexKind: 'text',
  },
  'leading zeros that pandas reads as numbers': { ...seen, rows: plain(at => `00${at * at}`), indexKind: 'integer' },
  'an empty id': { ...seen, rows: plain(at => (at === 102 ? '' : String(at))), indexKind: 'float' },
  'ids above the signed range': {
    ...seen,
    rows: plain(at => String(2n ** 64n - 1n - BigInt(at * at))),
    indexKind: 'unsigned',
  },
  'ids that are flags': { ...seen, rows: plain(at => (at % 3 ? 'True' : 'False')), indexKind: 'boolean' },
  'ids all missing': { ...seen, rows: plain(at => (at % 2 ? '' : 'null')), indexKind: 'empty' },
  'the same id again and again': { ...seen, rows: plain(at => String((at * 7) % 3)), indexKind: 'integer' },
  'NA words, short rows and a column empty in whole batches': {
    ...seen,
    rows: rowsOf(
      at =>
        [[uneven(at), 'NA', 'x', ''], [uneven(at), 'None'], [uneven(at)], [uneven(at), 'n/a', at > 98 ? 'b' : '']][
          at % 4
        ]!,
    ),
    indexKind: 'integer',
  },
  'hard header: duplicates, no names, __proto__': {
    target: 'good.py:seen',
    columns: ['', 'A', 'A', '', '__proto__', 'A.1', 'A'],
    rows: rowsOf(at => [uneven(at), 'a', 'b', 'c', 'd', 'e', 'f']),
    indexKind: 'integer',
  },
  'an index with the name of another column': {
    target: 'good.py:seen',
    columns: ['A', 'A', 'A.1'],
    rows: rowsOf(at => [uneven(at), '01', '02']),
    indexKind: 'integer',
  },
  'quotes, line ends and NUL in values': {
    ...seen,
    rows: rowsOf(at => [uneven(at), `"${at}"`, `a\nb\r\nc\rd,`, 'nul\0\ufeffé\u{1f600}']),
    indexKind: 'integer',
  },
  'one column only': { ...seen, columns: ['ID'], rows: rowsOf(at => [uneven(at)]), indexKind: 'integer' },
  'no index column': { ...seen, rows: plain(uneven), indexKind: null, readCsv: { index_col: null } },
  'index_col=False': { ...seen, rows: plain(uneven), indexKind: null, readCsv: { index_col: false } },
  'an index column by name': { ...seen, rows: plain(uneven), indexKind: 'text', readCsv: { index_col: 'B' } },
  'more NA words': {
    ...seen,
    rows: plain(at => (at === 3 ? '-' : uneven(at))),
    indexKind: 'float',
    readCsv: { na_values: ['-', 'b3'], keep_default_na: false },
  },
  'a dtype for each column': {
    ...seen,
    rows: plain(uneven),
    indexKind: null,
    readCsv: { dtype: { ID: 'str', A: 'float64', B: 'str', C: 'str' } },
  },
  'a float': { target: 'good.py:a_float', columns: PLAIN, rows: plain(uneven), indexKind: 'integer' },
  'a text with quotes and line ends': {
    target: 'good.py:a_text',
    columns: PLAIN,
    rows: plain(uneven),
    indexKind: 'integer',
  },
  'None in some rows': { target: 'good.py:some_none', columns: PLAIN, rows: plain(uneven), indexKind: 'integer' },
  'a new frame': { target: 'good.py:new_frame', columns: PLAIN, rows: plain(uneven), indexKind: 'integer' },
  'columns dropped, renamed and reordered': {
    target: 'good.py:reordered',
    columns: PLAIN,
    rows: plain(uneven),
    indexKind: 'integer',
  },
  'an index that loses its name': {
    target: 'good.py:unnamed_index',
    columns: PLAIN,
    rows: plain(uneven),
    indexKind: 'integer',
  },
  'to_csv with everything that changes cells': {
    target: 'good.py:some_none',
    columns: PLAIN,
    rows: plain(uneven),
    indexKind: 'integer',
    toCsv: { na_rep: 'n/a', float_format: '%.3f', columns: ['FLOAT', 'A', 'TEXT'], index_label: 'key', quoting: 1 },
  },
  'to_csv without index, with a decimal comma': {
    target: 'good.py:some_none',
    columns: PLAIN,
    rows: plain(uneven),
    indexKind: 'integer',
    toCsv: { index: false, decimal: ',', header: ['q', 'r', 's', 't', 'u', 'v'] },
  },
  'the black box of the example': {
    target: 'examples/black_box.py',
    columns: PLAIN,
    rows: plain(uneven).slice(0, 40),
    indexKind: 'integer',
  },
}

describe('the bytes are those of the serial job in batches of 1, 7, 100 and 1000 rows', () => {
  const classifiers = new Map<string, Promise<PythonClassifier>>()
  const serial = new Map<string, string>()

  before(async () => {
    const files = await serialFiles(Object.values(CASES))
    for (const [at, name] of Object.keys(CASES).entries()) serial.set(name, files[at]!)
  })
  after(async () => {
    for (const classifier of classifiers.values()) await (await classifier).close()
  })

  for (const [name, given] of Object.entries(CASES)) {
    test(name, async () => {
      const known = classifiers.get(given.target) ?? started({ after: () => {} }, given.target)
      classifiers.set(given.target, known)
      const classifier = await known
      const lists: [Values[], Record<string, unknown>][] = []
      for (const batchRows of CUTS) {
        const batches = await classifyCut(classifier, given, batchRows)
        const lines = [batches[0]!.columns, ...batches.flatMap(batch => batch.rows)]
        lists.push([lines, given.toCsv?.quoting === undefined ? {} : { quoting: given.toCsv.quoting }])
      }
      for (const [at, text] of (await quoted(lists)).entries()) {
        assert.equal(text, serial.get(name), `${CUTS[at]} rows a batch`)
      }
    })
  }
})
