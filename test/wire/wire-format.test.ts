import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { EOL } from 'node:os'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { OutputFormat } from '../../connectors/csv/output-format.ts'
import { placeOf } from '../../src/core/sequence.ts'
import { checkToCsv } from '../../src/pandas/to-csv.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { fingerprintOf } from '../../src/wire/formats.ts'
import { decodeJsonRow, valuesInOrder } from '../../src/wire/json-rows.ts'
import { examples, FILES, kinds, page, root, schemaOf } from './documented.ts'

type Schema =
  | string
  | Schema[]
  | { type: string; name?: string; items?: Schema; fields?: Field[]; doc?: string; size?: number; symbols?: string[] }
interface Field {
  name: string
  type: Schema
  doc?: string
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
    assert.ok(page.includes(`| ${schemaOf(kind).name} | \`${FILES[kind]}\` | \`${bytes}\` |`), `${kind} ${bytes}`)
  }
})

test('the page lists the fields of every record in the order of the schema, with their types', () => {
  const tableOf = (name: string) => {
    const section = page.split(new RegExp(`^(?:### ${name}|${name}:)$`, 'm'))[1] ?? ''
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

/** The rows of the table below this heading, with the cells as written, but without backquotes. */
function tableBelow(heading: string, header: string): string[][] {
  const section = page.slice(page.indexOf(`\n${heading}\n`))
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

test('the page lists the topics of a pipeline, and says how many there are', () => {
  const listed = tableBelow('## Topics and keys', 'topic | records | partition of a message').map(([topic]) => topic)
  assert.deepEqual(listed.sort(), Object.values(topicsOf('NAME')).sort())
  assert.equal(listed.length, 6)
  assert.match(page, /`NAME` has six topics\./)
})

/** An entry that publishers compare with the options, as if it were one; and an environment variable. */
const NO_OPTIONS: readonly string[] = ['indexKind', 'ROWMILL_STARTED_BY']

test('the page lists exactly the options of a job that the code reads or writes', () => {
  const reads = /\b(?:optionOf\([^()]+, |option\()'(\w+)'/g
  const writes = /\{ name: '(\w+)', value: |\bOPTION = '(\w+)'/g
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

test('the page gives the toCsv members for lines, and their defaults, as the sink has them', () => {
  const { sink } = checkToCsv({})
  const members = tableBelow('#### From cells to a line', 'member').map(([name, value]) => [name!, value!] as const)
  assert.deepEqual(members.map(([name]) => name).sort(), Object.keys(sink).sort())
  for (const [name, value] of members) {
    if (name === 'lineterminator') assert.equal(sink[name], EOL)
    else if (name === 'header') assert.equal(sink[name], null)
    else assert.equal(String(sink[name as keyof typeof sink]), value, name)
  }
})

test('the page and the code have the same rule for the place of a row, and its example too', () => {
  const [, rule] = /^```\n(block .*?)```/ms.exec(page)!
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
  assert.match(page, /With b = 100 and P = 8, row 12,345 lies in block 123, so in partition 3, at position 1,545\./)
  assert.deepEqual(placeOf(12_345, { partitions: 8, blockRows: 100 }), { partition: 3, position: 1545 })
})

test('the JSON rows of the page are rows of the same values', () => {
  const [, text] = /^```text\n(.*?)```/ms.exec(page)!
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

test('every record and every field has a description', () => {
  for (const kind of kinds) {
    assert.equal(schemaOf(kind).namespace, 'rowmill')
    for (const record of recordsIn(schemaOf(kind))) {
      for (const { name, doc } of [record, ...record.fields!]) assert.match(doc ?? '', /\.$/, `${record.name} ${name}`)
    }
  }
})

/** The record of a schema and its nested records. */
function recordsIn(schema: Schema): Exclude<Schema, string | Schema[]>[] {
  if (typeof schema === 'string') return []
  if (Array.isArray(schema)) return schema.flatMap(recordsIn)
  if (schema.items !== undefined) return recordsIn(schema.items)
  return schema.fields === undefined ? [] : [schema, ...schema.fields.flatMap(({ type }) => recordsIn(type))]
}
