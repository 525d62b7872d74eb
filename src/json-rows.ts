import { isUtf8 } from 'node:buffer'
import { malformed } from './codec.ts'
import type { Values } from './model.ts'
import { isName } from './topics.ts'

const CURLY = 0x7b

/** A row as a program without our SDK publishes it: `{"job": "orders", "values": {"SKU": "17", "TEXT": "shoe"}}`. */
export interface JsonRow {
  readonly job: string
  readonly values: JsonValues
}

/** By column name, or in the order of the header. */
type JsonValues = Map<string, JsonValue> | readonly JsonValue[]

/** A text, the text of a number as it stood there, or what no cell can hold. */
type JsonValue = string | NoCell

/** `kind` in words, and `text` as it may be shown. */
export interface NoCell {
  readonly kind: string
  readonly text: string
}

/** Whether the message is JSON: no record in Avro begins with a curly bracket. */
export function isJson(bytes: Uint8Array | null): bytes is Uint8Array {
  return bytes?.[0] === CURLY
}

/** Reads a row in JSON. Throws ROW_MALFORMED, which says what is wrong with it. */
export function decodeJsonRow(bytes: Uint8Array): JsonRow {
  if (!isUtf8(bytes)) throw refused('it begins as JSON, and is not UTF-8')
  const { job, values, ...others } = parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  if (typeof job !== 'string' || !isName(job))
    throw refused('its "job" is no id of a job: it names the one that the row is of')
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw refused(`it has ${JSON.stringify(unknown)} beside "job" and "values"`)
  if (Array.isArray(values)) return { job, values: values.map(cellOf) }
  if (typeof values !== 'object' || values === null || values instanceof NumberText)
    throw refused('its "values" are no object by column name, and no list in the order of the columns')
  return { job, values: new Map(Object.entries(values).map(([column, value]) => [column, cellOf(value)])) }
}

/** The values in the order of the columns, or in words why these are none. */
export function valuesInOrder({ values }: JsonRow, columns: readonly string[]): { values: Values } | { flaw: string } {
  const unlike = values instanceof Map ? flawOfNames(values, columns) : flawOfWidth(values.length, columns)
  if (unlike !== null) return { flaw: unlike }
  const ordered = values instanceof Map ? columns.map(column => values.get(column)!) : values
  const column = ordered.findIndex(value => typeof value !== 'string')
  if (column < 0) return { values: ordered as Values }
  const { kind } = ordered[column] as NoCell
  const flaw = `column ${JSON.stringify(columns[column])} is ${kind}: a value is a text, a number, true, false or null`
  return { flaw }
}

/** Why a row of an event job cannot have this many values, in words, or null. */
export function flawOfWidth(values: number, columns: readonly string[]): string | null {
  return values === columns.length ? null : `the row has ${values} values, the job ${columns.length} columns`
}

function flawOfNames(values: ReadonlyMap<string, JsonValue>, columns: readonly string[]): string | null {
  const missing = columns.find(column => !values.has(column))
  if (missing !== undefined) return `column ${JSON.stringify(missing)} is missing: an empty value is "" or null`
  const twice = columns.find((column, at) => columns.indexOf(column) !== at)
  if (twice !== undefined) return `the job has two columns ${JSON.stringify(twice)}: give "values" as a list`
  const names = new Set(columns)
  const unknown = [...values.keys()].find(name => !names.has(name))
  return unknown === undefined ? null : `the job has no column ${JSON.stringify(unknown)}`
}

/** A number as it was written: 1.50 stays 1.50, and no digit of a long one is lost. */
class NumberText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): number {
    return Number(this.text)
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value,
    )
  } catch (error) {
    throw refused(`it begins as JSON: ${(error as Error).message}`)
  }
}

function cellOf(value: unknown): JsonValue {
  if (typeof value === 'string') {
    if (value.isWellFormed()) return value
    return { kind: 'a text with half a surrogate pair', text: value.toWellFormed() }
  }
  if (value instanceof NumberText) return value.text
  if (value === null) return ''
  if (typeof value === 'boolean') return String(value)
  return { kind: Array.isArray(value) ? 'a list' : 'an object', text: JSON.stringify(value) }
}

function refused(what: string): Error {
  return malformed(what, {}, 'read this row')
}
