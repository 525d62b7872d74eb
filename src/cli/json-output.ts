import { RowmillError } from '../errors.ts'
import { printable } from '../support/printable.ts'
import { print } from './standard-output.ts'

/** What a command prints with --output json: one JSON object a line. docs/cli.md shows the same. */
export interface JsonShape<K extends string = string> {
  /** What a line is about, such as `each job`. */
  readonly line: string
  /** Every field, always there, with its meaning. */
  readonly fields: Readonly<Record<K, string>>
}

/** Prints objects of a shape. Characters that a terminal would obey become JSON escapes, so no value changes. */
export function printJson<K extends string>(
  shape: JsonShape<K>,
  objects: readonly Readonly<Record<NoInfer<K>, unknown>>[],
): void {
  print(objects.map(object => `${printable(JSON.stringify(inOrder(shape, object)))}\n`).join(''))
}

/** The object with its fields in the order of its shape, which is that of docs/cli.md. */
export function inOrder<K extends string>(
  { fields }: JsonShape<K>,
  object: Readonly<Record<NoInfer<K>, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries((Object.keys(fields) as K[]).map(name => [name, object[name]]))
}

/** Every field of a shape as null: what is unknown. */
export function nullsOf<K extends string>({ fields }: JsonShape<K>): Record<K, null> {
  return Object.fromEntries(Object.keys(fields).map(name => [name, null])) as Record<K, null>
}

/** Throws USAGE where the rows and the JSON would share standard output. */
export function checkOutputFree(out: string, output: 'text' | 'json'): void {
  if (out === '-' && output === 'json')
    throw new RowmillError('USAGE', '--output json needs a file as OUT: standard output has the rows then')
}
