import { inspect } from 'node:util'
import { RowmillError } from '../errors.ts'
import type { Values } from '../model.ts'
import { MAX_MESSAGE_BYTES } from '../wire/codec.ts'
import { rowBytes } from '../wire/packed-rows.ts'

/** A value of a row. It travels as text: `true` and `false`, numbers as String() writes them, null as ''. */
export type EventValue = string | number | bigint | boolean | null

/** A row by the names of its columns, or its values in the order of the header. */
export type EventRow = Readonly<Record<string, EventValue>> | readonly EventValue[]

/** The bytes of a message besides the values of its row, with room to spare: job, epoch, from and seq. */
const HEAD_BYTES = 1024
const SHOWN_CHARACTERS = 40

/** Turns what `send` gets into the values of a row, under the header of the job. */
export class RowReader {
  readonly #job: string
  readonly #columns: readonly string[]
  readonly #known: ReadonlySet<string>
  readonly #mostBytes: number

  /** `mostBytes` is how long a row may be. */
  constructor({ id, columns }: { id: string; columns: readonly string[] }, mostBytes = MAX_MESSAGE_BYTES) {
    this.#job = id
    this.#mostBytes = Math.min(mostBytes, MAX_MESSAGE_BYTES - HEAD_BYTES)
    this.#columns = columns
    this.#known = new Set(columns)
  }

  /** Throws ROW_REFUSED naming the column, what is wrong with it and what to do. */
  read(row: EventRow): Values {
    const values = Array.isArray(row) ? this.#fromArray(row) : this.#fromObject(row as Record<string, unknown>)
    const bytes = rowBytes(values)
    if (bytes <= this.#mostBytes) return values
    const longest = values.reduce((max, value, at) => (value.length > values[max]!.length ? at : max), 0)
    throw this.#refusal(
      this.#columns[longest]!,
      `the row takes ${bytes} bytes, most of them here, and a message holds ${this.#mostBytes}: shorten it`,
    )
  }

  #fromArray(row: readonly unknown[]): Values {
    const columns = this.#columns
    if (row.length < columns.length) {
      const missing = columns[row.length]!
      throw this.#refusal(missing, `it has no value (${counts(row, columns)}): give null for an empty one`)
    }
    if (row.length > columns.length) {
      const last = columns.at(-1)!
      throw this.#refusal(last, `more values follow after it (${counts(row, columns)}): the header is ${list(columns)}`)
    }
    return columns.map((column, at) => this.#text(column, row[at]))
  }

  #fromObject(row: Record<string, unknown>): Values {
    if (typeof row !== 'object' || row === null) {
      const message = `job ${this.#job}: a row is an object by column names or an array, not ${show(row)}`
      throw new RowmillError('ROW_REFUSED', message, { job: this.#job })
    }
    if (this.#known.size < this.#columns.length) {
      const twice = this.#columns.find((column, at) => this.#columns.indexOf(column) !== at)!
      throw this.#refusal(twice, 'the header has it twice: send the values as an array')
    }
    const unknown = Object.keys(row).find(column => !this.#known.has(column))
    if (unknown !== undefined) {
      throw this.#refusal(unknown, `the header has no such column: it is ${list(this.#columns)}`)
    }
    return this.#columns.map(column => {
      if (!Object.hasOwn(row, column)) throw this.#refusal(column, 'it is missing: give null for an empty value')
      return this.#text(column, row[column])
    })
  }

  #text(column: string, value: unknown): string {
    if (value === null) return ''
    const refuse = (why: string) => this.#refusal(column, `${show(value)} ${why}`)
    switch (typeof value) {
      case 'string':
        if (!value.isWellFormed()) throw refuse('holds half a surrogate pair, which UTF-8 cannot carry: replace it')
        return value
      case 'bigint':
      case 'boolean':
        return String(value)
      case 'number':
        if (!Number.isFinite(value)) throw refuse('is not a finite number: give null, or the text you mean')
        if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
          throw refuse('is larger than the whole numbers that a number holds exactly: give a bigint or a text')
        }
        return String(value)
      default:
        throw refuse(
          `is not a text, number, bigint, boolean or null: give ${value === undefined ? 'null' : 'its text'}`,
        )
    }
  }

  #refusal(column: string, why: string): RowmillError {
    return new RowmillError('ROW_REFUSED', `job ${this.#job}, column ${column}: ${why}`, { job: this.#job, column })
  }
}

function counts(row: readonly unknown[], columns: readonly string[]): string {
  return `${row.length} values for ${columns.length} columns`
}

function list(columns: readonly string[]): string {
  const text = columns.join(', ')
  return text.length <= 200 ? text : `${text.slice(0, 200)}...`
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: SHOWN_CHARACTERS })
  return text.length <= SHOWN_CHARACTERS + 20 ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`
}
