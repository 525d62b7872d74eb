import assert from 'node:assert/strict'
import { EOL } from 'node:os'
import { test } from 'node:test'
import { checkToCsv } from '../../src/pandas/to-csv.ts'

test('without arguments the sink writes as to_csv does, and the command line decides on the header', () => {
  assert.deepEqual(checkToCsv({}), {
    file: { mode: 'w', encoding: null, errors: 'strict', compression: 'infer' },
    host: {},
    sink: {
      ...{ sep: ',', quotechar: '"', quoting: 0, lineterminator: EOL },
      ...{ doublequote: true, escapechar: null, header: null, index_label: true },
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
  [{ quoting: 4 }, /quoting=4: expected 0 .*Only newer Pythons/],
  [{ mode: 'r' }, /mode="r": expected 'w', 'x' or 'a'/],
  [{ path_or_buf: 'out.csv' }, /path_or_buf="out.csv": it cannot be honoured: OUT names the file/],
  [{ compression: 'lzop' }, /compression="lzop": it must be infer, null, gzip, bz2, zip, xz, zstd, tar, or an object/],
  [{ compression: { compresslevel: 1 } }, /must be infer, null, .* or an object with one of these as method/],
  [{ compression: { method: 'gzip', level: 1 } }, /gzip takes compresslevel, mtime, and not level/],
  [{ compression: { method: 'gzip', mtime: -1 } }, /mtime must be a whole number from 0/],
  [{ compression: { method: 'zip', archive_name: '' } }, /archive_name must be the name/],
  [{ encoding: 'latin 1' }, /encoding="latin 1": expected a name of Python's codecs/],
  [{ errors: 3 }, /errors=3: expected a name of Python's error handlers/],
  [{ chunksize: 0 }, /chunksize=0: expected a whole number from 1/],
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
  checkToCsv({ path_or_buf: null, storage_options: null })
})

test('arguments of a file go to the sink that writes one; every name of UTF-8 is plain text', () => {
  const { host, file } = checkToCsv({ mode: 'a', encoding: 'latin-1', errors: 'replace', compression: null })
  assert.deepEqual([host, file], [{}, { mode: 'a', encoding: 'latin-1', errors: 'replace', compression: null }])
  for (const encoding of [null, 'utf-8', 'UTF8', 'utf_8']) assert.equal(checkToCsv({ encoding }).file.encoding, null)
})

test('without a label for the index the sink leaves it out, and the host still names it', () => {
  for (const label of [false, []]) {
    const { host, sink } = checkToCsv({ index_label: label })
    assert.deepEqual([host, sink.index_label], [{}, false])
  }
  assert.equal(checkToCsv({ index_label: false, index: false }).sink.index_label, true)
})
