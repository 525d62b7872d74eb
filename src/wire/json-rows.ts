import { isUtf8 } from 'node:buffer'
import { isName } from '../core/names.ts'
import type { Values } from '../model.ts'
import { malformed } from './codec.ts'

const CURLY = 0x7b
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])
/**
 * A row has its values at depth 2. Deeper values are wrong. They are read only to report them, so the depth is limited.
 */
const MAX_DEPTH = 32
/** A larger row is published in Avro. */
const MAX_JSON_BYTES = 1024 * 1024
/** How many values beyond the columns of the job are still read, to show them in a reject. */
const OTHERS = 10
/** A message with more commas is parsed only for a job with as many columns: 80,000 keys take 0.2 s. */
const FEW_COMMAS = 1000
/** How much of a message that is not parsed its reject shows. */
const SHOWN_BYTES = 200
const JOB_KEY = Buffer.from('"job"')
/** Longer texts are not a job id, however they are escaped. */
const MAX_JOB_BYTES = 2000

/** A row as a program without our SDK publishes it: `{"job": "orders", "values": {"SKU": "17", "TEXT": "shoe"}}`. */
export interface JsonRow {
  readonly job: string
  readonly values: JsonValues
  /** Set if the message has too many values to parse them before the columns of the job are known. Then it has no `values`. */
  readonly unread?: { readonly commas: number; readonly bytes: Uint8Array }
}

/** Values by column name, or in the order of the header. */
type JsonValues = Map<string, JsonValue> | readonly JsonValue[]

/** A text, the text of a number as it was written, or something that no cell can hold. */
type JsonValue = string | NoCell

/** `kind` names it, and `text` may be shown. */
export interface NoCell {
  readonly kind: string
  readonly text: string
}

/** Whether the message is JSON: no record in Avro begins with a curly bracket. */
export function isJson(bytes: Uint8Array | null): bytes is Uint8Array {
  return bytes?.[0] === CURLY
}

/**
 * Reads a row in JSON. Throws ROW_MALFORMED with what is wrong with it. The time is bounded: a message has at most 1 MB,
 * and if it has many values, only its job is read.
 */
export function decodeJsonRow(bytes: Uint8Array): JsonRow {
  if (bytes.length > MAX_JSON_BYTES) {
    const size = `${bytes.length} bytes, and a row in JSON may have ${MAX_JSON_BYTES}`
    throw refused(`it begins as JSON and has ${size}: publish larger rows in Avro (docs/wire-format.md)`)
  }
  if (!isUtf8(bytes)) throw refused('it begins as JSON, and is not UTF-8')
  const { commas, depth, job } = survey(bytes)
  if (depth > MAX_DEPTH) throw refused(`it begins as JSON and is nested ${depth} deep`)
  if (commas <= FEW_COMMAS) return readRow(bytes)
  return { job: checkedJob(job && textOf(job)), values: [], unread: { commas, bytes } }
}

/** The row with all its values. Or, as text, why it cannot be a row of a job with so many columns. */
export function readValues(row: JsonRow, columns: number): JsonRow | { readonly flaw: string } {
  const { unread } = row
  if (!unread) return row
  const { commas, bytes } = unread
  if (commas > columns + OTHERS) {
    const begins = Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString()
    return { flaw: `the row has ${commas} commas between values, the job ${columns} columns. It begins with ${begins}` }
  }
  try {
    return readRow(bytes)
  } catch (error) {
    return { flaw: (error as Error).message }
  }
}

interface Survey {
  /** The commas between values: those in a text do not count. */
  commas: number
  /** How deep the brackets go. */
  depth: number
  /** The value of the last "job" at depth 1, as it is in the message, if that is a text. */
  job: Uint8Array | null
}

/** Looks over a message without parsing it, so the key "job" may have no escapes. */
function survey(bytes: Uint8Array): Survey {
  const found: Survey = { commas: 0, depth: 0, job: null }
  let key: 'none' | 'job' | 'other' = 'none'
  for (let i = 0, open = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === QUOTE) {
      const end = endOfText(bytes, i)
      if (open === 1 && key === 'none') key = JOB_KEY.equals(bytes.subarray(i, end)) ? 'job' : 'other'
      else if (open === 1 && key === 'job') found.job = bytes.subarray(i, end)
      i = end - 1
    } else if (byte === COMMA) {
      found.commas++
      if (open === 1) key = 'none'
    } else if (OPENING.has(byte)) found.depth = Math.max(found.depth, ++open)
    else if (CLOSING.has(byte)) open--
  }
  return found
}

/** The index after the closing quote of the text that begins at `from`. */
function endOfText(bytes: Uint8Array, from: number): number {
  let i = from + 1
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1
  return i + 1
}

/** A short text in JSON, or null if it is long or broken. */
function textOf(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_JOB_BYTES) return null
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return null
  }
}

function checkedJob(job: unknown): string {
  if (typeof job === 'string' && isName(job)) return job
  throw refused('its "job" is not a job id: it must name the job of the row')
}

function readRow(bytes: Uint8Array): JsonRow {
  const {
    job: given,
    values,
    ...others
  } = parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(), keepNumberText)
  const job = checkedJob(given)
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw refused(`it has ${JSON.stringify(unknown)} beside "job" and "values"`)
  if (Array.isArray(values)) return { job, values: values.map(cellOf) }
  if (typeof values !== 'object' || values === null || values instanceof NumberText)
    throw refused('its "values" are no object by column name, and no list in the order of the columns')
  return { job, values: new Map(Object.entries(values).map(([column, value]) => [column, cellOf(value)])) }
}

/** The values in the order of the columns. Or, as text, why they are no row. */
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

/** Why a row of an event job cannot have this many values, or null. */
export function flawOfWidth(values: number, columns: readonly string[]): string | null {
  return values === columns.length ? null : `the row has ${values} values, the job ${columns.length} columns`
}

function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find(name => seen.size === seen.add(name).size)
}

function flawOfNames(values: ReadonlyMap<string, JsonValue>, columns: readonly string[]): string | null {
  const missing = columns.find(column => !values.has(column))
  if (missing !== undefined) return `column ${JSON.stringify(missing)} is missing: an empty value is "" or null`
  const names = new Set(columns)
  const twice = names.size < columns.length ? firstTwice(columns) : undefined
  if (twice !== undefined) return `the job has two columns ${JSON.stringify(twice)}: give "values" as a list`
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

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown

const keepNumberText: Reviver = (_, value, context) =>
  typeof value === 'number' ? new NumberText(context?.source ?? String(value)) : value

function parse(text: string, reviver: Reviver): Record<string, unknown> {
  try {
    return JSON.parse(text, reviver)
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
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  return { kind: Array.isArray(value) ? 'a list' : 'an object', text: JSON.stringify(value) }
}

function refused(what: string): Error {
  return malformed(what, {}, 'read this row')
}
