import assert from 'node:assert/strict'
import test from 'node:test'
import avro from 'avsc'
import fc from 'fast-check'
import { RowmillError } from '../../src/errors.ts'
import type { EndOfInput, Job, Reject, Result, Rows } from '../../src/model.ts'
import { MAX_ITEMS } from '../../src/wire/avro-scan.ts'
import * as codec from '../../src/wire/codec.ts'
import { crc64Avro } from '../../src/wire/crc64-avro.ts'
import { fingerprintOf, type SchemaName, schemaOf } from '../../src/wire/formats.ts'
import { mostBytes, rowBytes } from '../../src/wire/packed-rows.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { anyCharacter } from '../helpers/any-character.ts'

const { decode, encode } = codec

const job: Job = {
  id: 'job-1',
  epoch: 1,
  attempt: 2,
  state: 'failed',
  reason: { code: 'ROW_GAP', place: 'row 7', message: 'Zeile fehlt: ü 漢 🎉' },
  columns: ['__proto__', 'constructor', '', 'a', 'a'],
  sequenced: true,
  bounded: false,
  partitions: 2,
  blockRows: 100,
  topic: 'p.rows',
  from: 300,
  total: 9007199254740990,
  rowsFrom: [0, 2 ** 40],
  resultsFrom: [5, 6],
  source: { name: 'in.csv', size: 2 ** 33, mtimeMs: 1700000000000.25 },
  indexKind: 'integer',
  options: [{ name: 'cast', value: '{"A":"float"}' }],
  at: 1700000000000,
  by: 'host',
}
const bareJob: Job = { ...job, reason: null, columns: [], total: null, source: null, indexKind: null, options: [] }
const rows: Rows = {
  job: 'job-1',
  epoch: 0,
  from: 0,
  seq: 200,
  count: 3,
  line: 202,
  lineSteps: [1, 2, 70],
  rows: [['__proto__', 'x'.repeat(300), '漢'.repeat(50)], [], ['', '\u0000', '�', '🎉']],
}
const bareRows: Rows = { ...rows, seq: null, count: 0, line: null, lineSteps: null, rows: [] }
const end: EndOfInput = {
  job: 'job-1',
  epoch: 0,
  from: 0,
  attempt: 1,
  partition: 7,
  rows: 100,
  total: 900,
}
const result: Result = {
  job: 'job-1',
  epoch: 0,
  from: 0,
  attempt: 0,
  first: 100,
  count: 3,
  offset: 12,
  classifier: Uint8Array.of(0, 255, 1, 2, 3, 4, 5, 128),
  by: 'w1',
  columns: ['ID', '__proto__'],
  kinds: ['integer', 'text'],
  rejected: [
    { index: 0, seq: 200, line: 202, reason: 'A', detail: 'no', values: ['1', 'ü'] },
    { index: 2, seq: null, line: null, reason: 'B', detail: '', values: [] },
  ],
  outputs: null,
  rows: [['8', 'Größe']],
}
/** One row has two output rows, one has none, one is rejected. */
const droppedAndDoubled: Result = {
  ...result,
  count: 4,
  rejected: [{ index: 2, seq: null, line: null, reason: 'B', detail: '', values: [] }],
  outputs: [2, 0, 0, 1],
  rows: [
    ['8', 'a'],
    ['8', 'b'],
    ['9', 'c'],
  ],
}
const bareResult: Result = { ...result, count: 0, columns: [], kinds: [], rejected: [], rows: [] }
const reject: Reject = {
  job: 'job-1',
  epoch: 0,
  attempt: 0,
  seq: 9,
  topic: 'p.rows',
  partition: 3,
  offset: 77,
  index: 1,
  line: 10,
  reason: 'UNKNOWN_JOB',
  detail: 'no such job',
  values: ['a', ''],
  raw: Uint8Array.of(1, 2, 250),
  by: 'w1',
}
const none = { job: null, epoch: null, attempt: null, seq: null, line: null, values: null, raw: null }
const bareReject: Reject = { ...reject, ...none }

const samples: WireRecord[] = [
  { kind: 'job', value: job },
  { kind: 'job', value: bareJob },
  { kind: 'rows', value: rows },
  { kind: 'rows', value: bareRows },
  { kind: 'end', value: end },
  { kind: 'result', value: result },
  { kind: 'result', value: bareResult },
  { kind: 'result', value: droppedAndDoubled },
  { kind: 'result', value: { ...droppedAndDoubled, count: 2, rejected: [], outputs: [0, 0], rows: [] } },
  { kind: 'reject', value: reject },
  { kind: 'reject', value: bareReject },
]

const malformed = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RowmillError, String(error))
  assert.equal(error.code, 'ROW_MALFORMED')
  assert.match(error.message, message)
  return true
}
const refuses = (bytes: Uint8Array | null, message: RegExp) => assert.throws(() => decode(bytes), malformed(message))

/** A message of `kind` with a body written by hand. */
const message = (kind: SchemaName, ...body: (number | number[] | Uint8Array)[]) => {
  const parts = body.map(part => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part)))
  return Buffer.concat([Buffer.of(0xc3, 1), fingerprintOf(kind), ...parts])
}

test('every record survives the round trip as plain objects, with nulls, unicode and __proto__', () => {
  for (const sample of samples) assert.deepStrictEqual(decode(encode(sample)), sample)
})

test('the encoder of each record writes that record', () => {
  assert.deepStrictEqual(decode(codec.encodeJob(job)), { kind: 'job', value: job })
  assert.deepStrictEqual(decode(codec.encodeRows(rows)), { kind: 'rows', value: rows })
  assert.deepStrictEqual(decode(codec.encodeEndOfInput(end)), { kind: 'end', value: end })
  assert.deepStrictEqual(decode(codec.encodeResult(result)), { kind: 'result', value: result })
  assert.deepStrictEqual(decode(codec.encodeReject(reject)), { kind: 'reject', value: reject })
})

test('a record shares no memory with the message it was read from', () => {
  for (const sample of samples) {
    const bytes = encode(sample)
    const record = decode(bytes)
    bytes.fill(0xaa)
    assert.deepStrictEqual(record, sample)
  }
})

test('a message is read from the middle of a larger buffer that is not a Buffer', () => {
  const bytes = encode({ kind: 'rows', value: rows })
  const larger = new Uint8Array(bytes.length + 20).fill(0xc3)
  larger.set(bytes, 7)
  assert.deepStrictEqual(decode(larger.subarray(7, 7 + bytes.length)), { kind: 'rows', value: rows })
})

test('an encoded message stays unchanged when the next one is encoded, small or large', () => {
  const [small, large] = [bareRows, { ...rows, count: 1, lineSteps: null, rows: [['y'.repeat(3_000_000)]] }]
  const encoded = [small, large, rows, large, small].map(value => [value, codec.encodeRows(value)] as const)
  for (const [value, bytes] of encoded) assert.deepStrictEqual(decode(bytes).value, value)
})

test('CRC-64-AVRO gives the fingerprint of Avro’s own test data', () => {
  assert.equal(crc64Avro(Buffer.from('"int"')), 0x7275d51a3f395c8fn)
  assert.equal(crc64Avro(Buffer.alloc(0)), 0xc15d213aa4d7a795n)
})

const text = fc.string({
  unit: fc.oneof(fc.constantFrom('a', '7', '"', '\n', '\r', '\u0000', 'ü', '漢', '🎉', '\ufffd'), anyCharacter),
  maxLength: 90,
})
const long = fc.oneof(
  fc.nat({ max: 200 }),
  fc.maxSafeNat().filter(n => n < Number.MAX_SAFE_INTEGER - 1000),
)
const values = fc.array(text, { maxLength: 6 })
const anyRows: fc.Arbitrary<Rows> = fc
  .record({
    job: text,
    epoch: long,
    from: long,
    seq: fc.option(long),
    line: fc.option(long),
    rows: fc.array(values),
    steps: fc.boolean(),
  })
  .map(({ steps, ...value }) => ({
    ...value,
    count: value.rows.length,
    lineSteps: steps ? value.rows.map((_, i) => i * 50) : null,
  }))
const anyResult: fc.Arbitrary<Result> = fc
  .record({ first: long, columns: values, text, places: fc.array(fc.boolean(), { maxLength: 20 }), values })
  .map(({ first, columns, text, places, values }) => ({
    ...result,
    by: text,
    first,
    count: places.length,
    columns,
    kinds: columns.map(() => text),
    rejected: places.flatMap((kept, index) =>
      kept ? [] : { index, seq: first, line: null, reason: text, detail: text, values },
    ),
    rows: places.filter(kept => kept).map((_, i) => columns.map(column => column + i)),
  }))
const anyOutputs: fc.Arbitrary<Result> = fc
  .record({ result: anyResult, seed: fc.array(fc.nat(3), { minLength: 20, maxLength: 20 }) })
  .map(({ result, seed }) => {
    const rejected = new Set(result.rejected.map(({ index }) => index))
    const outputs = Array.from({ length: result.count }, (_, index) => (rejected.has(index) ? 0 : seed[index]!))
    return { ...result, outputs, rows: outputs.flatMap(n => Array.from({ length: n }, () => result.columns)) }
  })

test('a result of one output row for each row is written as before it could have others, and still read', () => {
  const bytes = codec.encodeResult({ ...result, outputs: null })
  assert.equal(bytes.toString('hex', 0, 10), 'c3019363a72a4c607c7e')
  const withOutputs = codec.encodeResult(droppedAndDoubled)
  assert.deepEqual(withOutputs.subarray(2, 10), fingerprintOf('resultWithOutputs'))
  assert.deepEqual(decode(bytes).value, result)
})

test('a reader with the schema of today reads a result of the first schema: outputs is null', () => {
  const [reader, writer] = [schemaOf('resultWithOutputs'), schemaOf('result')].map(schema =>
    avro.Type.forSchema(schema),
  )
  const old = codec.encodeResult(result).subarray(10)
  const read = reader!.fromBuffer(old, reader!.createResolver(writer!)) as Result
  assert.equal(read.outputs, null)
  assert.deepEqual(read.rows, result.rows)
})

test('any rows and any result survive the round trip', () => {
  fc.assert(
    fc.property(anyRows, value => assert.deepStrictEqual(decode(codec.encodeRows(value)), { kind: 'rows', value })),
  )
  fc.assert(
    fc.property(anyResult, value =>
      assert.deepStrictEqual(decode(codec.encodeResult(value)), { kind: 'result', value }),
    ),
  )
  fc.assert(
    fc.property(anyOutputs, value =>
      assert.deepStrictEqual(decode(codec.encodeResult(value)), { kind: 'result', value }),
    ),
  )
})

test('the size of a row is the number of bytes it adds to a message', () => {
  const sizeOf = (...rows: string[][]) => codec.encodeRows({ ...bareRows, count: rows.length, rows }).length
  const empty = sizeOf([])
  const check = (row: string[]) => {
    assert.equal(rowBytes(row), sizeOf([], row) - empty)
    assert.ok(mostBytes([row, row]) >= 2 * rowBytes(row), `${mostBytes([row, row])} are not the most bytes`)
  }
  fc.assert(fc.property(values, check))
  for (const length of [63, 64, 8191, 8192, 1_048_575, 1_048_576]) check(['z'.repeat(length)])
  check(Array.from({ length: 9000 }, () => 'é'.repeat(40)))
})

test('an encoded result may be transferred to another thread as it is', () => {
  fc.assert(
    fc.property(anyResult, value => {
      const bytes = codec.encodeResult(value)
      assert.deepEqual([bytes.byteOffset, bytes.buffer.byteLength], [0, bytes.length])
    }),
  )
})

test('packed rows make the same message as avsc does', () => {
  fc.assert(
    fc.property(anyRows, value => {
      assert.deepEqual(codec.encodeRows(value), codec.encode({ kind: 'rows', value }))
    }),
  )
  for (const text of ['z', 'é', '漢', '\u{10ffff}', '\0']) {
    const rows = [63, 64, 65, 8191, 8192, 300_000].map(length => [text.repeat(length), '', text])
    const value = { ...bareRows, count: rows.length, rows }
    assert.deepEqual(codec.encodeRows(value), codec.encode({ kind: 'rows', value }))
  }
  fc.assert(
    fc.property(anyResult, value => {
      assert.deepEqual(codec.encodeResult(value), codec.encode({ kind: 'result', value }))
    }),
  )
})

test('arrays in several blocks, with and without the size of the block, are read', () => {
  const before = [2, 0x6a, 0, 0, 0, 6, 0, 0]
  const [a, bc] = [
    [2, 2, 0x61, 0],
    [4, 2, 0x62, 2, 0x63, 0],
  ]
  const expected = { ...bareRows, job: 'j', count: 3, rows: [['a'], ['b', 'c'], []] }
  for (const body of [
    [6, ...a, ...bc, 0, 0],
    [2, ...a, 4, ...bc, 0, 0],
    [1, 8, ...a, 3, 14, ...bc, 0, 0],
    [4, ...a, 3, 8, 2, 0x62, 2, 0x63, 0, 2, 0, 0],
  ]) {
    assert.deepStrictEqual(decode(message('rows', before, body)).value, expected)
  }
})

test('a number in more bytes than it needs is read, up to ten', () => {
  const overlong = (bytes: number) => message('rows', [...Array(bytes - 1).fill(0x80), 0], [0, 0, 0, 0, 0, 0, 0])
  assert.deepStrictEqual(decode(overlong(10)).value, { ...bareRows, job: '' })
  refuses(overlong(11), /a number of more than 10 bytes/)
})

test('anything but Avro single-object encoding is refused with its first bytes', () => {
  refuses(null, /empty/)
  refuses(new Uint8Array(0), /empty/)
  refuses(Buffer.from('{"rows":[]}'), /begins with 7b22/)
  refuses(Buffer.of(0, 0, 0, 0, 1, 9), /begins with 00 and schema id 1 .*Give --schema-registry URL/)
  refuses(Buffer.of(0xc3), /begins with c3,/)
  refuses(Buffer.of(0xc3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9), /begins with c302/)
  refuses(Buffer.of(0xc3, 1, 1, 2, 3), /begins with c301010203,/)
})

test('an unknown fingerprint is refused and named in hex', () => {
  refuses(Buffer.of(0xc3, 1, 0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 9), /unknown schema fingerprint deadbeef00010203/)
})

test('every truncated message, and every message with an extra byte, is refused', () => {
  for (const sample of samples) {
    const bytes = encode(sample)
    for (let length = 0; length < bytes.length; length++) refuses(bytes.subarray(0, length), /./)
    refuses(Buffer.concat([bytes, Buffer.of(0)]), /1 bytes too many/)
  }
})

test('lengths and counts beyond the remaining bytes are refused before anything is allocated', () => {
  const huge = [0x80, 0xc8, 0xd0, 0x07]
  const before = [0, 0, 0, 0, 0, 0, 0]
  const heap = process.memoryUsage().heapUsed
  const start = process.cpuUsage()
  for (let i = 0; i < 1000; i++) {
    refuses(message('rows', before, huge), /8\d{6} items are claimed, 0 bytes are left/)
    refuses(message('rows', before, [2, ...huge]), /items are claimed/)
    refuses(message('rows', huge), /bytes are claimed, 0 are left/)
    refuses(message('reject', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, ...huge]), /field raw.* bytes are claimed/)
  }
  const { user } = process.cpuUsage(start)
  assert.ok(user < 2e6, `${user} us of CPU`)
  assert.ok(process.memoryUsage().heapUsed - heap < 100e6)
})

test('more items than an array may have are refused even if their bytes are there', () => {
  const bytes = message('rows', [0, 0, 0, 0, 0, 0, 0], [0x82, 0x80, 0x80, 0x01], Buffer.alloc(MAX_ITEMS + 2))
  refuses(bytes, /more than 1048576 items/)
})

test('a refusal names the field and the byte, even after a nested record', () => {
  const withReason = message('job', [0, 0, 0, 0, 2, 0, 0, 0], [0x80, 1])
  refuses(withReason, /Job, field columns, byte 20 of 20: 64 items are claimed, 0 bytes are left/)
  const afterRejected = message('result', Buffer.alloc(7), Buffer.alloc(8), [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1])
  refuses(afterRejected, /Result, field rejected, byte 36 of 36: the message is cut off/)
})

test('a block that claims another size than it has is refused', () => {
  refuses(message('rows', [0, 0, 0, 0, 2, 0, 0], [1, 6, 2, 2, 0x61, 0, 0]), /a block of 4 bytes that claims 3/)
  refuses(message('rows', [0, 0, 0, 0, 2, 0, 0], [1, 1, 2, 2, 0x61, 0, 0]), /negative number -1/)
})

test('negative numbers, numbers beyond 2^53 and infinite doubles are refused in both directions', () => {
  refuses(message('rows', [0, 1], Buffer.alloc(6)), /field epoch, byte 12 of 18: the negative number -1/)
  refuses(message('rows', [0, 0xfe, ...Array(6).fill(0xff), 0x1f], Buffer.alloc(6)), /beyond 9007199254740990/)
  refuses(message('rows', [0, ...Array(9).fill(0xff), 1], Buffer.alloc(6)), /beyond 9007199254740990/)
  for (const epoch of [-1, 0.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => codec.encodeRows({ ...rows, epoch }), malformed(/epoch/))
  }
  const source = { name: '', size: 0, mtimeMs: Number.POSITIVE_INFINITY }
  assert.throws(
    () => codec.encodeJob({ ...job, source }),
    malformed(/cannot write this Job: .*field mtimeMs.*no finite number/),
  )
})

test('a boolean, an enum or a union branch that does not exist is refused', () => {
  const [before, after] = [
    [0, 0, 0],
    [0, 0, 1, 0, 2, 2, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
  ]
  assert.equal(decode(message('job', before, 0, after)).kind, 'job')
  refuses(message('job', before, 8, after), /field state.*choice 4 of 4/)
  refuses(message('job', before, 0, 4, after.slice(1)), /field reason.*choice 2 of 2/)
  refuses(message('job', before, 0, [0, 0, 2], after.slice(3)), /field sequenced.*2 as a boolean/)
})

test('text that is not UTF-8 is refused, even if the next bytes would complete it', () => {
  const bad = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe6, 0xbc]]
  for (const bytes of bad) {
    const at = message('rows', [2 * bytes.length, ...bytes], [0, 0, 0, 0, 0, 0, 0])
    refuses(at, /field job.*text that is not UTF-8/)
  }
  // Lone c3 in a cell, then a cell of 64 bytes: its length begins with 80, which would complete the character.
  const cells = message('rows', [0, 0, 0, 0, 2, 0, 0, 2], [4, 2, 0xc3, 0x80, 1], Buffer.alloc(64, 0x61), [0, 0])
  refuses(cells, /field rows.*text that is not UTF-8/)
})

test('half a surrogate pair is refused when written, in short or long text, and found by its place', () => {
  for (const value of ['\ud800', '\udc00x', `${'x'.repeat(100)}\ud83d`]) {
    const broken = { ...rows, rows: [[], ['a', 'b', value], []] }
    assert.throws(() => codec.encodeRows(broken), malformed(/Rows: rows\[1\]\[2\] holds half a surrogate pair/))
    assert.throws(() => codec.encodeJob({ ...job, columns: [value] }), malformed(/columns\[0\]/))
  }
})

test('a value of the wrong type is refused by name when written', () => {
  const broken = (change: object) => ({ ...rows, ...change }) as Rows
  assert.throws(
    () => codec.encodeRows(broken({ rows: [['a', undefined], [], []] })),
    malformed(/cannot write this Rows: rows\.0\.1 is undefined/),
  )
  assert.throws(() => codec.encodeRows(broken({ seq: undefined })), malformed(/seq is undefined/))
  assert.throws(() => codec.encodeRows(broken({ rows: [['a', 7], [], []] })), malformed(/rows\.0\.1 is 7 \(number\)/))
  assert.throws(() => codec.encodeJob({ ...job, state: 'done' } as unknown as Job), malformed(/state is 'done'/))
  assert.throws(() => codec.encodeResult({ ...result, classifier: new Uint8Array(7) }), malformed(/classifier/))
})

test('a record that contradicts itself is refused in both directions', () => {
  const contradictions: [WireRecord, RegExp][] = [
    [{ kind: 'job', value: { ...job, partitions: 0, rowsFrom: [], resultsFrom: [] } }, /partitions 0/],
    [{ kind: 'job', value: { ...job, blockRows: 0 } }, /blockRows 0/],
    [{ kind: 'job', value: { ...job, rowsFrom: [1] } }, /2 partitions, but rowsFrom for 1/],
    [{ kind: 'job', value: { ...job, resultsFrom: [1, 2, 3] } }, /resultsFrom for 3/],
    [{ kind: 'rows', value: { ...rows, count: 2, lineSteps: null } }, /count is 2, rows has 3/],
    [{ kind: 'rows', value: { ...rows, lineSteps: [1, 1] } }, /lineSteps has 2/],
    [{ kind: 'rows', value: { ...rows, seq: 9007199254740990 } }, /go beyond/],
    [{ kind: 'end', value: { ...end, rows: 901 } }, /901 rows in one partition, 900 in all/],
    [{ kind: 'result', value: { ...result, count: 4 } }, /count is 4, rows has 1 and rejected 2/],
    [{ kind: 'result', value: { ...droppedAndDoubled, count: 5 } }, /count is 5, outputs has 4/],
    [{ kind: 'result', value: { ...droppedAndDoubled, outputs: [2, 1, 0, 1] } }, /outputs says 4 rows, rows has 3/],
    [{ kind: 'result', value: { ...droppedAndDoubled, outputs: [2, 0, 1, 0] } }, /index 2 has 1 output rows/],
    [{ kind: 'result', value: { ...result, first: 9007199254740988 } }, /go beyond/],
    [{ kind: 'result', value: { ...result, kinds: ['text'] } }, /2 columns, 1 kinds/],
    [{ kind: 'result', value: { ...result, rows: [['8']] } }, /row 0 has 1 cells/],
    [{ kind: 'result', value: { ...result, rejected: [...result.rejected].reverse() } }, /index 0 after 2/],
    [
      { kind: 'result', value: { ...result, rejected: result.rejected.map(row => ({ ...row, index: 1 })) } },
      /index 1 after 1/,
    ],
    [
      {
        kind: 'result',
        value: { ...result, rejected: result.rejected.map(row => ({ ...row, index: row.index + 1 })) },
      },
      /index 3 after/,
    ],
  ]
  for (const [record, text] of contradictions) {
    assert.throws(() => encode(record), malformed(text))
    refuses(unchecked(record), text)
  }
})

test('a message larger than the topics take is refused in both directions', () => {
  const value = { ...bareRows, count: 1, rows: [['x'.repeat(codec.MAX_MESSAGE_BYTES)]] }
  assert.throws(() => codec.encodeRows(value), malformed(/it takes 167\d{5} bytes/))
  refuses(Buffer.alloc(codec.MAX_MESSAGE_BYTES + 1, 0xc3), /16711681 bytes/)
})

test('random bytes and damaged messages give only a record or ROW_MALFORMED', () => {
  const tries = (bytes: Uint8Array) => {
    try {
      // A record that was read is valid: it can be written again.
      encode(decode(bytes))
    } catch (error) {
      malformed(/^cannot read this message: /)(error)
    }
  }
  const kind = fc.constantFrom(...samples.map(sample => sample.kind))
  fc.assert(
    fc.property(kind, fc.uint8Array({ maxLength: 200 }), (kind, bytes) => tries(message(kind, bytes))),
    { numRuns: 3000 },
  )
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 })
  const damaged = (sample: WireRecord, edits: [number, number][]) => {
    const bytes = encode(sample)
    for (const [at, byte] of edits) bytes[10 + (at % (bytes.length - 10))] = byte
    tries(bytes)
  }
  fc.assert(fc.property(fc.constantFrom(...samples), edits, damaged), { numRuns: 10_000 })
})

/** Writes a record without checks, as a defective program would. */
function unchecked(record: WireRecord): Buffer {
  const { kind, value } = record
  const name = kind === 'result' && value.outputs !== null ? 'resultWithOutputs' : kind
  let body: unknown = value
  if (kind === 'end') body = { ...value, refused: 0 }
  if (kind === 'result') body = { ...value, classifier: Buffer.from(value.classifier) }
  return message(name, avro.Type.forSchema(schemaOf(name)).toBuffer(body))
}
