import assert from 'node:assert/strict'
import { EOL } from 'node:os'
import { test } from 'node:test'
import { checkToCsv } from '../../src/pandas/to-csv.ts'

test('without arguments the sink writes as to_csv does, and the command line decides on the header', () => {
  assert.deepEqual(checkToCsv({}), {
    compression: 'infer',
    host: {},
    sink: {
      ...{ sep: ',', quotechar: '"', quoting: 0, lineterminator: EOL },
      ...{ doublequote: true, escapechar: null, header: null },
    },
  })
})

test('arguments that shape cells go to the host, those that shape lines to the sink', () => {
  const { host, sink } = checkToCsv({
    na_rep: '-',
    sep: ';',
    quoting: 1,
    index: false,
    header: false,
    escapechar: '\\',
  })
  assert.deepEqual(host, { na_rep: '-', quoting: 1, index: false })
  assert.deepEqual([sink.sep, sink.quoting, sink.header, sink.escapechar], [';', 1, false, '\\'])
})

test('a list of names for the header renames the columns in the host and asks the sink for a header', () => {
  const { host, sink } = checkToCsv({ header: ['a', 'b'] })
  assert.deepEqual([host, sink.header], [{ header: ['a', 'b'] }, true])
})

const REFUSED: [Record<string, unknown>, RegExp][] = [
  [{ quoting: 2 }, /quoting=2: expected 0 .*type of each cell/],
  [{ mode: 'a' }, /mode="a": it cannot be honoured/],
  [{ compression: 'lzop' }, /compression="lzop": it must be infer, null, gzip, bz2, zip, xz, zstd, tar, or an object/],
  [{ compression: { compresslevel: 1 } }, /must be infer, null, .* or an object with one of these as method/],
  [{ compression: { method: 'gzip', level: 1 } }, /gzip takes compresslevel, mtime, and not level/],
  [{ compression: { method: 'gzip', mtime: -1 } }, /mtime must be a whole number from 0/],
  [{ compression: { method: 'zip', archive_name: '' } }, /archive_name must be the name/],
  [{ encoding: 'latin-1' }, /UTF-8/],
  [{ chunksize: 10 }, /batch by batch/],
  [{ sep: ', ' }, /sep=", ": expected one character/],
  [{ narep: 'x' }, /no such argument/],
  [{ constructor: 'x' }, /no such argument/],
]

for (const [given, message] of REFUSED) {
  test(`to_csv ${JSON.stringify(given)} is refused with its reason`, () => {
    assert.throws(() => checkToCsv(given), { code: 'USAGE', message })
  })
}

test('a refused argument may be given with its fixed value', () => {
  checkToCsv({ mode: 'w', encoding: 'utf-8', compression: 'infer', errors: 'strict', chunksize: null })
})
