import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { decode, encode } from '../../src/wire/codec.ts'
import { fingerprintOf } from '../../src/wire/formats.ts'
import type { WireKind, WireRecord } from '../../src/wire/record.ts'
import { examples, FILES, kinds, root } from './documented.ts'

test('fastavro computes the same fingerprints', () => {
  const ours = Object.fromEntries(kinds.map(kind => [kind, fingerprintOf(kind).toString('hex')]))
  assert.deepEqual(fastavro({}).fingerprints, ours)
})

test('fastavro reads what the codec writes and writes what the codec reads, byte for byte, for every record', () => {
  const records = [
    ...examples().map(({ record }) => record),
    ...structuredClone(fc.sample(anyRecord(), { numRuns: 300, seed: 3 })),
  ]
  assert.deepEqual(new Set(records.map(({ kind }) => kind)), new Set(kinds))
  const encoded = records.map(record => ({ kind: record.kind, hex: encode(record).toString('hex') }))
  const { written, read } = fastavro({ write: records.map(onTheWire), read: encoded })
  records.forEach((record, i) => {
    assert.equal(written[i], encoded[i]!.hex)
    assert.deepEqual(read[i], onTheWire(record).value)
    assert.deepEqual(decode(Buffer.from(written[i]!, 'hex')), record)
  })
})

/** What fastavro made of the request, as wire/fastavro_peer.py describes it. */
function fastavro(request: { write?: WireRecord[]; read?: { kind: WireKind; hex: string }[] }) {
  const schemas = Object.fromEntries(
    kinds.map(kind => [kind, fileURLToPath(new URL(`src/wire/schemas/${FILES[kind]}`, root))]),
  )
  const bytesAsHex = (_: string, value: unknown) =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value
  const hexAsBytes = (_: string, value: { hex?: string } | null) =>
    typeof value?.hex === 'string' ? Uint8Array.from(Buffer.from(value.hex, 'hex')) : value
  const { status, stdout, stderr } = spawnSync('.venv/bin/python', ['test/wire/fastavro_peer.py'], {
    cwd: root,
    input: JSON.stringify({ schemas, write: [], read: [], ...request }, bytesAsHex),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout, hexAsBytes) as {
    fingerprints: Record<WireKind, string>
    written: string[]
    read: unknown[]
  }
}

/** A record with the fields of its schema: one that the model leaves out, without one of a later schema. */
function onTheWire({ kind, value }: WireRecord): WireRecord {
  if (kind === 'end') return { kind, value: { ...value, refused: 0 } } as WireRecord
  if (kind !== 'result') return { kind, value } as WireRecord
  const { outputs: _, ...fields } = value
  return { kind, value: fields } as WireRecord
}

/** Records of every kind, with any field values that their types allow. */
function anyRecord(): fc.Arbitrary<WireRecord> {
  const text = fc.string({ unit: 'binary', maxLength: 80 })
  const texts = fc.array(fc.oneof(text, fc.constant('__proto__')), { maxLength: 5 })
  const long = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 2 ** 53 - 1000 }))
  const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null })
  const job = fc
    .record({
      id: text,
      epoch: long,
      attempt: long,
      state: fc.constantFrom('open', 'ended', 'failed', 'cancelled'),
      reason: maybe(fc.record({ code: text, place: maybe(text), message: text })),
      columns: texts,
      sequenced: fc.boolean(),
      bounded: fc.boolean(),
      partitions: fc.integer({ min: 1, max: 9 }),
      blockRows: long.map(n => n + 1),
      topic: text,
      from: long,
      total: maybe(long),
      source: maybe(fc.record({ name: text, size: long, mtimeMs: fc.double({ min: 0.1, max: 1e13, noNaN: true }) })),
      indexKind: maybe(text),
      options: fc.array(fc.record({ name: text, value: text }), { maxLength: 3 }),
      at: long,
      by: text,
    })
    .map(job => ({ ...job, rowsFrom: Array(job.partitions).fill(7), resultsFrom: Array(job.partitions).fill(2 ** 40) }))
  const run = { job: text, epoch: long, from: long }
  const rows = fc
    .record({ ...run, seq: maybe(long), line: maybe(long), stepped: fc.boolean(), rows: fc.array(texts) })
    .map(({ stepped, ...value }) => {
      const steps = value.rows.map((_, i) => i * 40)
      return { ...value, count: steps.length, lineSteps: stepped ? steps : null }
    })
  const end = fc
    .record({ ...run, attempt: long, partition: long, rows: long, total: long })
    .map(end => ({ ...end, total: Math.max(end.rows, end.total) }))
  const rejected = fc.record({ seq: maybe(long), line: maybe(long), reason: text, detail: text, values: texts })
  const stamp = { attempt: long, first: long, offset: long, by: text, columns: texts }
  const result = fc
    .record({
      ...run,
      ...stamp,
      classifier: fc.uint8Array({ minLength: 8, maxLength: 8 }),
      good: fc.nat({ max: 5 }),
      bad: fc.array(rejected),
    })
    .map(({ good, bad, ...value }) => ({
      ...value,
      count: good + bad.length,
      kinds: value.columns.map(() => 'text'),
      rejected: bad.map((row, index) => ({ index, ...row })),
      outputs: null,
      rows: Array.from({ length: good }, () => value.columns.toReversed()),
    }))
  const reject = fc.record({
    job: maybe(text),
    epoch: maybe(long),
    attempt: maybe(long),
    seq: maybe(long),
    topic: text,
    partition: long,
    offset: long,
    index: long,
    line: maybe(long),
    reason: text,
    detail: text,
    values: maybe(texts),
    raw: maybe(fc.uint8Array()),
    by: text,
  })
  const values = { job, rows, end, result, reject }
  return fc.oneof(
    ...kinds.map(kind => (values[kind] as fc.Arbitrary<unknown>).map(value => ({ kind, value }) as WireRecord)),
  )
}
