import type { Document, ParsedNode, YAMLError } from 'yaml'
import { RowmillError } from '../errors.ts'
import type { ValueType } from '../option-spec.ts'

/** One key of a mapping in YAML. */
export interface YamlEntry {
  readonly key: string
  readonly value: unknown
  /** `number`: with a fraction. */
  readonly type: ValueType | 'number' | 'null'
  /** The value as the file has it, if it is no mapping or list: 0012 stays 0012. */
  readonly source?: string
  /** For messages: `rowmill.yaml, line 3`. */
  readonly where: string
  /** If the value is a mapping, its keys. */
  readonly children?: readonly YamlEntry[]
}

/** The keys of a mapping in YAML. Throws USAGE with the line for anything else. No message shows what the file has. */
export async function entriesOf(text: string, path: string): Promise<YamlEntry[]> {
  const { isAlias, isMap, isScalar, LineCounter, parseDocument } = await import('yaml') // most commands need no YAML
  const lineCounter = new LineCounter()
  const where = (offset: number) => `${path}, line ${lineCounter.linePos(offset).line}`
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const [flaw] = [...document.errors, ...document.warnings]
  if (flaw) throw refused(`${where(openQuote(text, flaw) ?? flaw.pos[0])}: ${describe(flaw)}`)
  const entries = (node: ParsedNode | null): YamlEntry[] | undefined => {
    if (!isMap<ParsedNode, ParsedNode | null>(node)) return undefined
    return node.items.map(({ key, value }) => {
      const place = where(key.range[0])
      if (!isScalar(key) || typeof key.value !== 'string') throw refused(`${place}: a key must be text`)
      const plain = plainOf(value, { document, place })
      const children = entries(value)
      const named = isAlias(value) ? value.resolve(document) : value
      const source = isScalar(named) && named.source
      const more = { ...(typeof source === 'string' ? { source } : {}), ...(children ? { children } : {}) }
      return { key: key.value, value: plain, type: typeOf(plain), where: place, ...more }
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

/** What the library says, without the text of the file, which it quotes after a colon or a backslash. */
function describe({ code, message }: YAMLError): string {
  if (code === 'DUPLICATE_KEY') return 'this key is there twice'
  if (code === 'MULTIPLE_DOCS')
    return 'a second YAML document begins here, and rowmill reads one. Remove the line ---, or put the rest into another file'
  const [said] = message.split(/:? \\|: /)
  return `this is not valid YAML: ${said}. Does a text with special characters lack its quotes?`
}

/** The library places an open quote at the end of the file. It begins in the last line that has an odd number of them. */
function openQuote(text: string, { message, pos }: YAMLError): number | null {
  const [, quote] = /^Missing closing (["'])/.exec(message) ?? []
  if (quote === undefined) return null
  const lines = text.slice(0, pos[1]).split('\n')
  const last = lines.findLastIndex(line => line.split(quote).length % 2 === 0)
  return last < 0 ? null : lines.slice(0, last).join('\n').length + 1
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
