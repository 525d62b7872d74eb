/** The content of an output in another encoding, packed or not: verify reads the text that the sink was given. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { FileSink } from '../../connectors/file-sink.ts'
import { canSeek, packingOf } from '../../src/pandas/packing.ts'
import { readContent } from '../../src/verify/unpacked.ts'
import { testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

const ROWS = [
  ['1', 'a,b'],
  ['2', 'é "x"\r\ny'],
]
const TEXT = '1,"a,b"\n2,"é ""x""\r\ny"\n'

function contentOf(path: string, encoding: string): Promise<Buffer> {
  const packing = packingOf('infer', path)
  return buffer(readContent(path, { method: packing?.method ?? null, encoding, seeks: canSeek(packing), python }))
}

for (const [name, encoding] of [
  ['out.csv', 'utf-8-sig'],
  ['out.csv', 'utf-16'],
  ['out.csv', 'cp1252'],
  ['out.csv.gz', 'utf-16'],
  ['out.csv.xz', 'utf-16'],
  ['out.csv.zip', 'latin-1'],
  ['out.csv.zst', 'utf-32'],
] as const) {
  test(`${name} in ${encoding} is read as the text that was written, and a changed file is not`, async t => {
    const path = join(testFolder(t), name)
    const toCsv = { encoding }
    const sink = new FileSink({ path, force: false, python, toCsv })
    await sink.open()
    const options = [
      { name: 'toCsv', value: JSON.stringify(toCsv) },
      { name: 'quotesCarriageReturn', value: 'true' },
    ]
    await sink.begin({ columns: ['ID', 'A'], options })
    await sink.write(ROWS)
    await sink.commit({ job: 'j' })
    await sink.close()
    assert.equal((await contentOf(path, encoding)).toString(), TEXT)
    if (name !== 'out.csv' || encoding === 'cp1252') return
    writeFileSync(path, readFileSync(path).subarray(encoding === 'utf-16' ? 2 : 3)) // without the byte order mark
    await assert.rejects(
      contentOf(path, encoding),
      /it is not encoded as utf-8-sig of Python encodes it|UTF-16 stream does not start with BOM/,
    )
  })
}

test('bytes that are no text in the encoding end the reading with what is wrong', async t => {
  const path = join(testFolder(t), 'out.csv')
  writeFileSync(path, Buffer.from([0x61, 0x81, 0x0a]))
  await assert.rejects(contentOf(path, 'cp1252'), /UnicodeDecodeError: .*0x81/)
})
