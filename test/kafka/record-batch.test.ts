import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import type { AbortedTransaction } from '../../src/kafka/aborted-filter.ts'
import { crc32c } from '../../src/kafka/checksum.ts'
import { bytesOf } from '../../src/kafka/message.ts'
import { MAX_BATCH_BYTES, readBatches, timestampOf } from '../../src/kafka/record-batch.ts'

interface BatchParts {
  readonly first: number
  readonly values: readonly (string | Buffer)[]
  readonly codec?: number
  readonly pack?: (records: Buffer) => Buffer
  readonly producerId?: bigint
  readonly control?: boolean
  readonly count?: number
  readonly magic?: number
}

/** Of every batch here, in ms since 1970. */
const TIMESTAMP = Date.UTC(2026, 10, 28, 12)

/** A record batch in the message format of Kafka. */
function batch(parts: BatchParts): Buffer {
  const { first, values, codec = 0, pack = bytes => bytes, producerId = -1n, control = false, magic = 2 } = parts
  const body = pack(recordsOf(values))
  const bytes = Buffer.alloc(61 + body.length)
  body.copy(bytes, 61)
  bytes.writeBigInt64BE(BigInt(first), 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes[16] = magic
  bytes.writeInt16BE(codec | (producerId >= 0n ? 0x10 : 0) | (control ? 0x20 : 0), 21)
  bytes.writeInt32BE(Math.max(0, values.length - 1), 23)
  bytes.writeBigInt64BE(BigInt(TIMESTAMP), 35)
  bytes.writeBigInt64BE(producerId, 43)
  bytes.writeInt32BE(parts.count ?? values.length, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

const madeRecords = new WeakMap<readonly (string | Buffer)[], Buffer>()

/** The records of these values. They are made once for each list. */
function recordsOf(values: readonly (string | Buffer)[]): Buffer {
  const made = madeRecords.get(values) ?? Buffer.concat(values.map((value, i) => record(i, Buffer.from(value))))
  madeRecords.set(values, made)
  return made
}

function record(delta: number, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.of(0, 0), varint(delta), varint(-1), varint(value.length), value, varint(0)])
  return Buffer.concat([varint(body.length), body])
}

function varint(n: number): Buffer {
  const bytes: number[] = []
  let rest = n < 0 ? -n * 2 - 1 : n * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.of(...bytes, rest)
}

/** A batch with one message that is mostly its key or a header. */
function batchWith(where: 'key' | 'header', big: Buffer, value = 'x'): Buffer {
  const field = (bytes: Buffer) => Buffer.concat([varint(bytes.length), bytes])
  const key = where === 'key' ? field(big) : varint(-1)
  const headers = where === 'header' ? Buffer.concat([varint(1), field(Buffer.from('h')), field(big)]) : varint(0)
  const body = Buffer.concat([Buffer.of(0, 0), varint(0), key, field(Buffer.from(value)), headers])
  const pack = () => zstdCompressSync(Buffer.concat([varint(body.length), body]))
  return batch({ first: 0, values: ['x'], codec: 4, pack })
}

for (const where of ['key', 'header'] as const) {
  test(`a message whose ${where} is most of its batch keeps only its value, and the batch counts whole`, () => {
    const bytes = batchWith(where, Buffer.alloc(8_000_000))
    const { messages, bytes: taken } = readBatches(bytes, { from: 0, aborted: [], enough: Infinity })
    const [{ key, value } = { key: null, value: null }] = messages
    assert.equal(String(value), 'x')
    assert.ok(value!.buffer.byteLength < 100_000, `${value!.buffer.byteLength} bytes are kept`)
    assert.ok((key?.length ?? 0) <= 1000)
    assert.ok(taken >= 8_000_000, `${taken} bytes were counted`)
  })
}

function read(bytes: Buffer, { from = 0, aborted = [] as readonly AbortedTransaction[], enough = Infinity } = {}) {
  const { messages, next } = readBatches(bytes, { from, aborted, enough })
  const shown = messages.map(({ offset, value, unreadable }) => [offset, unreadable?.why ?? String(value)])
  return { messages: shown, next }
}

const xerial = (bytes: Buffer) => {
  const blocks: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < bytes.length; at += 32_768) {
    const packed = compressSync(bytes.subarray(at, at + 32_768))
    const size = Buffer.alloc(4)
    size.writeUInt32BE(packed.length)
    blocks.push(size, packed)
  }
  return Buffer.concat(blocks)
}

const PACKED = [
  { name: 'gzip', codec: 1, pack: (bytes: Buffer) => gzipSync(bytes) },
  { name: 'snappy as librdkafka writes it', codec: 2, pack: (bytes: Buffer) => compressSync(bytes) },
  { name: 'snappy as Java writes it', codec: 2, pack: xerial },
  { name: 'lz4', codec: 3, pack: (bytes: Buffer) => compressFrameSync(bytes) },
  { name: 'zstd', codec: 4, pack: (bytes: Buffer) => zstdCompressSync(bytes) },
]
const blanks = Array.from({ length: 4 }, () => Buffer.alloc(MAX_BATCH_BYTES / 4, ' '))
const many = Array.from({ length: 5000 }, (_, i) => `value ${i} ${'x'.repeat(i % 50)}`)

for (const { name, codec, pack } of PACKED) {
  test(`a batch in ${name} is read`, () => {
    const { messages, next } = read(batch({ first: 10, values: many, codec, pack }))
    assert.deepEqual(
      messages,
      many.map((value, i) => [10 + i, value]),
    )
    assert.equal(next, 5010)
  })

  test(`a batch in ${name} that unpacks to too much is one unreadable message, and the next batch is read`, () => {
    const bomb = batch({ first: 0, values: blanks, codec, pack })
    const before = process.memoryUsage().arrayBuffers
    const { messages, next } = read(Buffer.concat([bomb, batch({ first: 4, values: ['plain'] })]))
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 * MAX_BATCH_BYTES)
    assert.deepEqual(messages, [
      [3, 'it unpacks to more than 16 MB: let the producer make smaller batches'],
      [4, 'plain'],
    ])
    assert.equal(next, 5)
  })

  test(`a damaged batch in ${name} is one unreadable message, and the next batch is read`, () => {
    const damaged = (bytes: Buffer) => {
      const packed = pack(bytes)
      return Buffer.concat([packed.subarray(0, packed.length / 2), Buffer.alloc(packed.length / 2, 0xa5)])
    }
    const bytes = [batch({ first: 0, values: many, codec, pack: damaged }), batch({ first: 5000, values: ['plain'] })]
    const { messages, next } = read(Buffer.concat(bytes))
    assert.equal(messages.length, 2)
    assert.match(String(messages[0]![1]), /^it is no valid (gzip|snappy|lz4|zstd) \(|^a record is cut off/)
    assert.deepEqual([messages[0]![0], messages[1], next], [4999, [5000, 'plain'], 5001])
  })
}

test('a batch with unknown codec, wrong checksum, old format or false counts is unreadable', () => {
  const flipped = batch({ first: 0, values: ['a', 'b'] })
  flipped[flipped.length - 2]! ^= 1
  const cases: [Buffer, RegExp][] = [
    [batch({ first: 0, values: ['a', 'b'], codec: 7 }), /compressed with codec 7, which Kafka does not define/],
    [flipped, /its checksum is wrong/],
    [batch({ first: 1, values: ['a'], magic: 1 }), /message format 1, of Kafka before 0.11/],
    [batch({ first: 0, values: ['a', 'b'], count: 2_000_000_000 }), /it claims 2000000000 messages/],
    [batch({ first: 0, values: ['a', 'b'], count: -5 }), /it claims -5 messages/],
    [batch({ first: 0, values: ['a', 'b'], count: 3 }), /a record is cut off|it claims 3 messages/],
  ]
  for (const [bytes, why] of cases) {
    const { messages, next } = read(Buffer.concat([bytes, batch({ first: 2, values: ['plain'] })]))
    assert.equal(messages[0]![0], 1)
    assert.match(String(messages[0]![1]), why)
    assert.deepEqual([messages[1], next], [[2, 'plain'], 3])
  }
})

test('an unreadable batch reports its offsets and how many messages it claims', () => {
  const flipped = batch({ first: 17, values: many.slice(0, 40) })
  flipped[70]! ^= 1
  const { messages } = readBatches(flipped, { from: 0, aborted: [], enough: Infinity })
  const unreadable = { first: 17, count: 40, why: 'its checksum is wrong' }
  assert.deepEqual(messages, [{ offset: 56, key: null, value: null, timestamp: TIMESTAMP, unreadable }])
})

test('each message has the timestamp of its batch, which the first bytes of the batch tell too', () => {
  const bytes = batch({ first: 3, values: ['a', 'b'] })
  const { messages } = readBatches(bytes, { from: 0, aborted: [], enough: Infinity })
  assert.deepEqual(
    messages.map(({ timestamp }) => timestamp),
    [TIMESTAMP, TIMESTAMP],
  )
  assert.equal(timestampOf(bytes.subarray(0, 43)), TIMESTAMP)
  assert.equal(timestampOf(bytes.subarray(0, 42)), null)
})

test('a batch with damaged control bit, transaction or offset is unreadable, and does not vanish', () => {
  const damage: [(bytes: Buffer) => void, RegExp][] = [
    [bytes => bytes.writeInt16BE(0x20, 21), /its checksum is wrong/],
    [bytes => bytes.writeInt16BE(0x10, 21), /its checksum is wrong/],
    [bytes => bytes.writeBigInt64BE(0n, 0), /its offsets are lower than those of the batch before it/],
  ]
  const aborted = [{ producerId: -1n, firstOffset: 0 }]
  for (const [damaged, why] of damage) {
    const middle = batch({ first: 20, values: ['a', 'b'] })
    damaged(middle)
    const others = [batch({ first: 18, values: ['x', 'y'] }), batch({ first: 22, values: ['z'] })]
    const { messages, next } = readBatches(Buffer.concat([others[0]!, middle, others[1]!]), {
      from: 18,
      aborted,
      enough: Infinity,
    })
    const unreadable = messages.filter(each => each.unreadable)
    assert.deepEqual([messages.length, unreadable.length, next], [4, 1, 23])
    assert.deepEqual([unreadable[0]!.unreadable!.first, unreadable[0]!.unreadable!.count], [20, 2])
    assert.match(unreadable[0]!.unreadable!.why, why)
  }
})

test('a batch whose offset is damaged upwards is unreadable, and those after it are read', () => {
  for (const damagedFirst of [20 + 2 ** 40, 22, 276])
    for (const place of ['middle', 'end']) {
      const middle = batch({ first: 20, values: ['a', 'b'] })
      middle.writeBigInt64BE(BigInt(damagedFirst), 0)
      const after = place === 'end' ? [] : [batch({ first: 22, values: ['z'] }), batch({ first: 23, values: ['q'] })]
      const answer = Buffer.concat([batch({ first: 18, values: ['x', 'y'] }), middle, ...after])
      const logEnd = place === 'end' ? 22 : 24
      const { messages, next } = readBatches(answer, { from: 18, logEnd, aborted: [], enough: Infinity })
      const { unreadable, offset } = messages.find(each => each.unreadable)!
      assert.deepEqual([unreadable!.first, unreadable!.count, offset, next], [20, 2, 21, logEnd])
      assert.match(
        unreadable!.why,
        /its offsets are higher than those of the batch after it, or than the end of the log/,
      )
      assert.equal(messages.length, 3 + after.length)
    }
})

test('a fetch beyond a batch whose offset is damaged upwards begins with that batch, and brings what was asked for', () => {
  for (const damagedFirst of [20 + 2 ** 40, Number.MAX_SAFE_INTEGER + 1, 276]) {
    const damaged = batch({ first: 20, values: ['a', 'b'] })
    damaged.writeBigInt64BE(BigInt(damagedFirst), 0)
    const later = [
      batch({ first: 22, values: ['c', 'd'] }),
      batch({ first: 24, values: ['e', 'f', 'g'] }),
      batch({ first: 27, values: ['h'] }),
    ]
    for (const [from, offsets] of [
      [22, [22, 23, 24, 25, 26, 27]],
      [25, [25, 26, 27]],
      [27, [27]],
    ] as const) {
      const answer = Buffer.concat([damaged, ...later])
      const { messages, next } = readBatches(answer, { from, logEnd: 28, aborted: [], enough: Infinity })
      assert.deepEqual([messages.map(({ offset }) => offset), next], [offsets, 28], `from ${from}`)
      assert.ok(messages.every(({ unreadable }) => !unreadable))
    }
  }
})

test('a batch whose offset is damaged upwards and that comes alone is a fault, unless the log ends with it', () => {
  const damaged = batch({ first: 20, values: ['a', 'b'] })
  damaged.writeBigInt64BE(BigInt(20 + 2 ** 40), 0)
  const alone = readBatches(damaged, { from: 20, logEnd: 30, aborted: [], enough: Infinity })
  assert.deepEqual([alone.messages, alone.next], [[], 20])
  assert.match(alone.fault!, /its offsets are higher/)
  const before = batch({ first: 18, values: ['x', 'y'] })
  const second = readBatches(Buffer.concat([before, damaged]), { from: 18, logEnd: 30, aborted: [], enough: Infinity })
  assert.deepEqual([second.messages.length, second.next, second.fault], [2, 20, null])
})

test('offsets that compaction or a marker has taken are no damage', () => {
  const batches = [18, 25, 40].map(first => batch({ first, values: ['x'] }))
  const { messages, next } = readBatches(Buffer.concat(batches), {
    from: 18,
    logEnd: 45,
    aborted: [],
    enough: Infinity,
  })
  assert.deepEqual([messages.map(({ offset }) => offset), next], [[18, 25, 40], 41])
})

test('a snappy batch with very many empty blocks is unreadable at once', () => {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const empty = Buffer.from([0, 0, 0, 1, 0])
  const pack = (records: Buffer) => {
    const block = compressSync(records)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(block.length)
    return Buffer.concat([header, ...Array(199_000).fill(empty), size, block])
  }
  const { messages, next } = read(batch({ first: 0, values: ['a', 'b'], codec: 2, pack }))
  assert.match(String(messages[0]![1]), /it has more than 16384 blocks/)
  assert.deepEqual([messages.length, next], [1, 2])
})

test('an answer that ends in the middle of a batch resumes with that batch', () => {
  const bytes = Buffer.concat([batch({ first: 0, values: ['a'] }), batch({ first: 1, values: ['b', 'c'] })])
  for (let cut = bytes.length - 1; cut > 70; cut -= 7) {
    assert.deepEqual(read(bytes.subarray(0, cut)), { messages: [[0, 'a']], next: 1 })
  }
  assert.deepEqual(read(bytes.subarray(0, 30)), { messages: [], next: 0 })
})

test('of a batch that begins before the requested offset, only the requested part is returned', () => {
  assert.deepEqual(read(batch({ first: 0, values: ['a', 'b', 'c'] }), { from: 2 }), { messages: [[2, 'c']], next: 3 })
})

test('a batch that compaction emptied moves the offset past it', () => {
  const emptied = batch({ first: 3, values: [], count: 0 })
  emptied.writeInt32BE(4, 23)
  emptied.writeUInt32BE(crc32c(emptied.subarray(21)), 17)
  assert.deepEqual(read(emptied), { messages: [], next: 8 })
})

test('unpacking stops once there are enough messages', () => {
  const bytes = [0, 1, 2].map(first => batch({ first, values: [Buffer.alloc(1000)] }))
  assert.equal(read(Buffer.concat(bytes), { enough: 1500 }).next, 2)
})

test('overlapping aborted transactions of several producers end independently', () => {
  const control = (first: number, producerId: bigint) =>
    batch({ first, values: [Buffer.of(0, 0, 0, 0)], producerId, control: true })
  const bytes = [
    batch({ first: 0, values: ['a aborted'], producerId: 1n }),
    batch({ first: 1, values: ['b aborted'], producerId: 2n }),
    batch({ first: 2, values: ['c committed'], producerId: 3n }),
    control(3, 1n),
    batch({ first: 4, values: ['b aborted'], producerId: 2n }),
    batch({ first: 5, values: ['a committed'], producerId: 1n }),
    control(6, 2n),
    control(7, 1n),
    batch({ first: 8, values: ['b committed'], producerId: 2n }),
    control(9, 2n),
    batch({ first: 10, values: ['a aborted again'], producerId: 1n }),
    control(11, 1n),
  ]
  const aborted = [
    { producerId: 1n, firstOffset: 10 },
    { producerId: 2n, firstOffset: 1 },
    { producerId: 1n, firstOffset: 0 },
  ]
  assert.deepEqual(read(Buffer.concat(bytes), { aborted }), {
    messages: [
      [2, 'c committed'],
      [5, 'a committed'],
      [8, 'b committed'],
    ],
    next: 12,
  })
})

test('of an answer with too many messages, the first are kept and the next fetch begins after them', () => {
  const values = Array.from({ length: 100 }, (_, i) => `value ${i}`)
  const batches = [
    { last: 0, bytes: batch({ first: 0, values: ['a'] }) },
    { last: 100, bytes: batch({ first: 1, values }) },
    { last: 200, bytes: batch({ first: 101, values }) },
  ]
  // A broker begins with the batch that has the offset.
  const answer = (from: number) => Buffer.concat(batches.filter(({ last }) => last >= from).map(({ bytes }) => bytes))
  const found: number[] = []
  let from = 0
  for (let fetches = 0; from < 201; fetches++) {
    const read = readBatches(answer(from), { from, aborted: [], enough: Infinity, keepBytes: 10_000 })
    assert.ok(read.messages.reduce((sum, message) => sum + bytesOf(message), 0) <= 10_000)
    assert.ok(!read.tooLarge && read.next > from && fetches < 20)
    found.push(...read.messages.map(({ offset }) => offset))
    from = read.next
  }
  assert.deepEqual(found, [...Array(201).keys()])
})

test('a message above the limit is kept alone, or on request not at all', () => {
  const large = Buffer.alloc(5000, 'x')
  const second = batch({ first: 1, values: [large, 'b'] })
  const both = Buffer.concat([batch({ first: 0, values: ['a'] }), second])
  const keep = (from: number, mayKeepNone: boolean) => {
    const limits = { aborted: [], enough: Infinity, keepBytes: 1000, mayKeepNone }
    const { messages, next, tooLarge } = readBatches(from === 0 ? both : second, { from, ...limits })
    return [messages.map(({ offset }) => offset), next, tooLarge]
  }
  assert.deepEqual(keep(0, false), [[0], 1, false])
  assert.deepEqual(keep(0, true), [[0], 1, false])
  assert.deepEqual(keep(1, false), [[1], 2, false])
  assert.deepEqual(keep(1, true), [[], 1, true])
  assert.deepEqual(keep(2, true), [[2], 3, false])
})

test('a damaged record after the kept ones still makes the whole batch unreadable', () => {
  const broken = batch({ first: 0, values: Array.from({ length: 50 }, () => 'value'), count: 51 })
  const { messages, next } = readBatches(broken, { from: 0, aborted: [], enough: Infinity, keepBytes: 1000 })
  assert.deepEqual([messages.length, messages[0]!.unreadable?.first, next], [1, 0, messages[0]!.offset + 1])
})

test('a few messages kept of a large batch do not keep the batch in memory', () => {
  const values = Array.from({ length: 1000 }, () => Buffer.alloc(1000, 'x'))
  const limits = { from: 0, aborted: [], enough: Infinity, keepBytes: 5000 }
  const { messages } = readBatches(batch({ first: 0, values }), limits)
  for (const { value } of messages) assert.ok(value!.buffer.byteLength < 100_000)
})
