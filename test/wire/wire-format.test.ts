import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { EOL } from 'node:os'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { placeOf } from '../../src/core/sequence.ts'
import { checkToCsv } from '../../src/pandas/to-csv.ts'
import { decode, encode, fingerprintOf } from '../../src/wire/codec.ts'
import { decodeJsonRow, valuesInOrder } from '../../src/wire/json-rows.ts'
import type { WireKind, WireRecord } from '../../src/wire/record.ts'

const root = new URL('../..', import.meta.url)
const doc = readFileSync(new URL('docs/wire-format.md', root), 'utf8')

const FILES: Record<WireKind, string> = {
  job: 'job.avsc',
  rows: 'rows.avsc',
  end: 'end-of-input.avsc',
  result: 'result.avsc',
  reject: 'reject.avsc',
}
const kinds = Object.keys(FILES) as WireKind[]

type Schema =
  | string
  | Schema[]
  | { type: string; name?: string; items?: Schema; fields?: Field[]; doc?: string; size?: number; symbols?: string[] }
interface Field {
  name: string
  type: Schema
  doc?: string
}

function schemaOf(kind: WireKind) {
  return JSON.parse(readFileSync(new URL(`src/wire/schemas/${FILES[kind]}`, root), 'utf8'))
}

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

/** A record with the field of the format that the model leaves out. */
function onTheWire({ kind, value }: WireRecord): WireRecord {
  return { kind, value: kind === 'end' ? { ...value, refused: 0 } : value } as WireRecord
}

/** The examples of the page: the record and its bytes. */
function examples(): { record: WireRecord; hex: string }[] {
  const found = [...doc.matchAll(/```json\n(.*?)```\n\n```hex\n(.*?)```/gs)]
  assert.equal(found.length, kinds.length)
  return found.map(([, json, hex], i) => {
    const value = JSON.parse(json!, (name, value) =>
      value && (name === 'classifier' || name === 'raw') ? Uint8Array.from(value) : value,
    )
    if (kinds[i] === 'end') {
      assert.equal(value.refused, 0)
      delete value.refused
    }
    return { record: { kind: kinds[i]!, value }, hex: hex!.replaceAll(/\s/g, '') }
  })
}

/** Records of every kind, whose fields are anything their types allow. */
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

test('the examples of the page are the bytes of their records', () => {
  for (const { record, hex } of examples()) {
    assert.equal(encode(record).toString('hex'), hex)
    assert.deepEqual(decode(Buffer.from(hex, 'hex')), record)
  }
})

test('the page names the fingerprint of every schema', () => {
  for (const kind of kinds) {
    const bytes = fingerprintOf(kind)
      .toString('hex')
      .replaceAll(/(..)(?=.)/g, '$1 ')
    assert.ok(doc.includes(`| ${schemaOf(kind).name} | \`${FILES[kind]}\` | \`${bytes}\` |`), `${kind} ${bytes}`)
  }
})

test('the page lists the fields of every record in the order of the schema, with their types', () => {
  const tableOf = (name: string) => {
    const section = doc.split(new RegExp(`^(?:### ${name}|${name}:)$`, 'm'))[1] ?? ''
    const table = section.slice(section.indexOf('|---|---|---|')).split('\n\n')[0]!
    return [...table.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)].map(([, field, type]) => `${field}: ${type}`)
  }
  const words = (type: Schema): string => {
    if (typeof type === 'string') return type
    if (Array.isArray(type)) return type.map(words).join(' or ')
    if (type.type === 'array') return `array of ${words(type.items!)}`
    if (type.type === 'enum') return `enum ${type.name}: ${type.symbols!.join(', ')}`
    return type.type === 'fixed' ? `fixed(${type.size}) ${type.name}` : type.name!
  }
  for (const record of kinds.flatMap(kind => recordsIn(schemaOf(kind)))) {
    assert.deepEqual(
      tableOf(record.name!),
      record.fields!.map(({ name, type }) => `${name}: ${words(type)}`),
    )
  }
})

/** The rows of the table below this heading, the cells as they stand there, without backquotes. */
function tableBelow(heading: string, header: string): string[][] {
  const section = doc.slice(doc.indexOf(`\n${heading}\n`))
  const table = section
    .slice(section.indexOf(`\n| ${header} |`))
    .trimStart()
    .split('\n\n')[0]!
  const cells = (line: string) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map(cell => cell.trim().replace(/^`(.*)`$/, '$1'))
  return table.split('\n').slice(2).map(cells)
}

/** What publishers compare beside the options, as if it were one; and an environment variable. */
const NO_OPTIONS: readonly string[] = ['indexKind', 'ROWMILL_STARTED_BY']

test('the page lists the options of a job that the code reads or writes, and no others', () => {
  const reads = /\b(?:optionOf\([^()]+, |option\()'(\w+)'/g
  const writes = /\{ name: '(\w+)', value: |\bMARK = '(\w+)'/g
  const names = globSync('{src,connectors}/**/*.ts', { cwd: fileURLToPath(root) }).flatMap(file => {
    const source = readFileSync(new URL(file, root), 'utf8')
    return [reads, writes].flatMap(pattern => [...source.matchAll(pattern)].map(([, one, other]) => one ?? other!))
  })
  const used = new Set(names.filter(name => !NO_OPTIONS.includes(name)))
  assert.ok(used.size >= 6, [...used].join())
  const listed = tableBelow('#### Options of a job', 'option').map(([name]) => name!)
  assert.deepEqual(listed.sort(), [...used].sort())
})

test('the lines of the page are what the sink makes of their cells', () => {
  const rows = tableBelow('#### From cells to a line', 'cells')
  assert.ok(rows.length >= 7)
  for (const [cells, toCsv, quotesCarriageReturn, line] of rows) {
    const options = [
      { name: 'toCsv', value: JSON.stringify({ lineterminator: '\n', ...JSON.parse(toCsv!) }) },
      { name: 'quotesCarriageReturn', value: quotesCarriageReturn! },
    ]
    assert.equal(new OutputFormat({ columns: [], options }).lines([JSON.parse(cells!)]), JSON.parse(line!), cells!)
  }
})

test('the members of toCsv that the page gives to lines, and their defaults, are those of the sink', () => {
  const { sink } = checkToCsv({})
  const members = tableBelow('#### From cells to a line', 'member').map(([name, value]) => [name!, value!] as const)
  assert.deepEqual(members.map(([name]) => name).sort(), Object.keys(sink).sort())
  for (const [name, value] of members) {
    if (name === 'lineterminator') assert.equal(sink[name], EOL)
    else if (name === 'header') assert.equal(sink[name], null)
    else assert.equal(String(sink[name as keyof typeof sink]), value, name)
  }
})

test('the rule of the page for the place of a row is the one of the code, in its own example too', () => {
  const [, rule] = /^```\n(block .*?)```/ms.exec(doc)!
  const [block, partition, position] = rule!
    .trimEnd()
    .split('\n')
    .map(line => line.split('= ')[1]!)
  const floor = Math.floor
  for (const [seq, b, P] of [
    [12_345, 100, 8],
    [0, 1, 3],
    [99, 7, 4],
    [100_000, 100, 1],
  ] as const) {
    const [at, row] = [{ b, P }, seq]
    const value = (formula: string, more: Record<string, number>): number => {
      const js = formula.replaceAll(' mod ', ' % ')
      const given = { seq: row, floor, ...at, ...more }
      return new Function(...Object.keys(given), `return ${js}`)(...Object.values(given))
    }
    const found = value(block!, {})
    const place = { partition: value(partition!, { block: found }), position: value(position!, { block: found }) }
    assert.deepEqual(place, placeOf(seq, { partitions: P, blockRows: b }))
  }
  assert.match(doc, /With b = 100 and P = 8, row 12,345 lies in block 123, so in partition 3, at position 1,545\./)
  assert.deepEqual(placeOf(12_345, { partitions: 8, blockRows: 100 }), { partition: 3, position: 1545 })
})

test('the rows in JSON of the page are rows of the same values', () => {
  const [, text] = /^```text\n(.*?)```/ms.exec(doc)!
  const rows = text!
    .trimEnd()
    .split('\n')
    .map(line => decodeJsonRow(Buffer.from(line)))
  assert.equal(rows.length, 2)
  for (const row of rows) {
    assert.equal(row.job, 'orders')
    assert.deepEqual(valuesInOrder(row, ['SKU', 'TEXT']), { values: ['17', 'red shoe'] })
  }
})

test('every record and every field says what it is', () => {
  for (const kind of kinds) {
    assert.equal(schemaOf(kind).namespace, 'rowmill')
    for (const record of recordsIn(schemaOf(kind))) {
      for (const { name, doc } of [record, ...record.fields!]) assert.match(doc ?? '', /\.$/, `${record.name} ${name}`)
    }
  }
})

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

/** The record of a schema and those within its fields. */
function recordsIn(schema: Schema): Exclude<Schema, string | Schema[]>[] {
  if (typeof schema === 'string') return []
  if (Array.isArray(schema)) return schema.flatMap(recordsIn)
  if (schema.items !== undefined) return recordsIn(schema.items)
  return schema.fields === undefined ? [] : [schema, ...schema.fields.flatMap(({ type }) => recordsIn(type))]
}
