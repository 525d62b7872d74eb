import type { Document, ParsedNode } from 'yaml'
import { RowmillError } from '../errors.ts'
import type { ValueType } from '../option-spec.ts'

/** One key of a mapping in YAML. */
export interface YamlEntry {
  readonly key: string
  readonly value: unknown
  /** `number`: with a fraction. */
  readonly type: ValueType | 'number' | 'null'
  /** For messages: `rowmill.yaml, line 3`. */
  readonly where: string
  /** If the value is a mapping, its keys. */
  readonly children?: readonly YamlEntry[]
}

/** The keys of a mapping in YAML. Throws USAGE with the line for anything else. No message shows what the file has. */
export async function entriesOf(text: string, path: string): Promise<YamlEntry[]> {
  const { isMap, isScalar, LineCounter, parseDocument } = await import('yaml') // most commands need no YAML
  const lineCounter = new LineCounter()
  const where = (offset: number) => `${path}, line ${lineCounter.linePos(offset).line}`
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const [flaw] = document.errors
  if (flaw) throw refused(`${where(flaw.pos[0])}: ${describe(flaw.code)}`)
  const entries = (node: ParsedNode | null): YamlEntry[] | undefined => {
    if (!isMap<ParsedNode, ParsedNode | null>(node)) return undefined
    return node.items.map(({ key, value }) => {
      const place = where(key.range[0])
      if (!isScalar(key) || typeof key.value !== 'string') throw refused(`${place}: a key must be text`)
      const plain = plainOf(value, { document, place })
      const children = entries(value)
      return { key: key.value, value: plain, type: typeOf(plain), where: place, ...(children ? { children } : {}) }
    })
  }
  if (document.contents === null) return []
  const found = entries(document.contents)
  if (!found) throw refused(`${path}, line 1: the file must be a mapping of options, such as workers: 4`)
  return found
}

function plainOf(node: ParsedNode | null, { document, place }: { document: Document; place: string }): unknown {
  try {
    return node?.toJS(document) ?? null
  } catch (cause) {
    const why = 'an alias (*NAME) is unknown, or there are too many of them'
    throw new RowmillError('USAGE', `${place}: ${why}`, {}, { cause })
  }
}

function describe(code: string): string {
  return code === 'DUPLICATE_KEY' ? 'this key is there twice' : `this is not valid YAML (${code})`
}

function typeOf(value: unknown): YamlEntry['type'] {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number'
  return typeof value as 'string' | 'boolean' | 'object'
}

function refused(message: string): RowmillError {
  return new RowmillError('USAGE', message)
}
