/** The page docs/wire-format.md, its example records, and the schemas. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { WireKind, WireRecord } from '../../src/wire/record.ts'

export const root = new URL('../..', import.meta.url)
export const page = readFileSync(new URL('docs/wire-format.md', root), 'utf8')

/** The file of each record's schema in src/wire/schemas. */
export const FILES: Record<WireKind, string> = {
  job: 'job.avsc',
  rows: 'rows.avsc',
  end: 'end-of-input.avsc',
  result: 'result.avsc',
  reject: 'reject.avsc',
}
export const kinds = Object.keys(FILES) as WireKind[]

export function schemaOf(kind: WireKind) {
  return JSON.parse(readFileSync(new URL(`src/wire/schemas/${FILES[kind]}`, root), 'utf8'))
}

/** The examples of the page: the record and its bytes. */
export function examples(): { record: WireRecord; hex: string }[] {
  const found = [...page.matchAll(/```json\n(.*?)```\n\n```hex\n(.*?)```/gs)]
  assert.equal(found.length, kinds.length)
  return found.map(([, json, hex], i) => {
    const value = JSON.parse(json!, (name, value) =>
      value && (name === 'classifier' || name === 'raw') ? Uint8Array.from(value) : value,
    )
    if (kinds[i] === 'end') {
      assert.equal(value.refused, 0)
      delete value.refused
    }
    if (kinds[i] === 'result') value.outputs = null // this schema has no such field
    return { record: { kind: kinds[i]!, value }, hex: hex!.replaceAll(/\s/g, '') }
  })
}
