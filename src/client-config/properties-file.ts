import { type Pair, parseLines } from 'dot-properties'
import { RowmillError } from '../errors.ts'
import type { Property } from '../support/property-text.ts'
import { KNOWN_NAMES } from './known-names.ts'

/** What begins the value of a property, and one or more blocks of PEM as this value. A block has no five dashes inside. */
const PEM_VALUE =
  /[=:]\s*-----BEGIN [A-Z0-9 ]+-----(?:(?!-----).)*-----END [A-Z0-9 ]+-----(?:\s*-----BEGIN [A-Z0-9 ]+-----(?:(?!-----).)*-----END [A-Z0-9 ]+-----)*/gs
/** A line end that no backslash joins to the next line. */
const OPEN_END = /(?<!\\)\r?\n/g
/** Java refuses this too. */
const BAD_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?![0-9a-f]{4})/i

/**
 * Reads a Java properties file. `file` is its name in messages. A certificate or key in PEM may keep its lines: Java wants a
 * backslash at the end of each. A line without = or : whose text is no known name gets the name '', because it may be the
 * rest of a secret. Only the first of them counts. Throws USAGE with the line, which shows no value.
 */
export function parseProperties(text: string, file: string): Property[] {
  const whole = text.replace(/^\uFEFF/, '').replaceAll(PEM_VALUE, value => value.replaceAll(OPEN_END, '\\n\\\n'))
  if (/^(?:\uFFFD\uFFFD|.?\0)/.test(whole)) throw usage(`${file} is UTF-16. Save it as UTF-8`)
  const lineAt = lineCounter(whole)
  const found = parseLines(whole, true)
    .filter(node => node.type === 'PAIR')
    .map(node => propertyOf(node as Pair, whole, `${file}, line ${lineAt(node.range![0])}`))
  const nameless = found.find(({ name }) => name === '')
  return found.filter(property => property.name !== '' || property === nameless)
}

function propertyOf(pair: Pair, whole: string, where: string): Property {
  const [begin, , , end] = pair.range as [number, number, number, number]
  const source = whole.slice(begin, end)
  if (source.includes('\0')) throw usage(`${where}: there is a NUL character. Save the file as text`)
  if (source.includes('\uFFFD')) throw usage(`${where}: it is not UTF-8. Save the file as UTF-8`)
  if (BAD_ESCAPE.test(source))
    throw usage(`${where}: \\u needs four hexadecimal digits after it. Write \\\\ for a backslash`)
  const isNamed = KNOWN_NAMES.has(pair.key) || /[=:]/.test(pair.separator(whole) ?? '')
  return { name: isNamed ? pair.key : '', value: pair.value ?? '', where }
}

/** Names that mean the same property, or the same login, as another. */
const SAME_AS: Readonly<Record<string, string>> = {
  'metadata.broker.list': 'bootstrap.servers',
  'sasl.mechanisms': 'sasl.mechanism',
  'sasl.username': 'sasl.jaas.config',
  'compression.codec': 'compression.type',
  'socket.timeout.ms': 'request.timeout.ms',
}

/** What is probably a mistake in the properties of one file, each with its line. Shows no value. */
export function oddities(properties: readonly Property[]): string[] {
  const seen = new Map<string, Property>()
  return properties.flatMap(property => {
    const { name, value, where } = property
    const meaning = SAME_AS[name] ?? name
    const earlier = seen.get(meaning)
    if (value.trim() === '' && earlier?.name !== name) return [] // it means nothing
    seen.set(meaning, property)
    const what = earlier?.name === name ? 'is there twice' : `means the same as ${earlier?.name}`
    return [
      ...(earlier && earlier.value !== value
        ? [`${where}: ${name} ${what}. This line wins over ${earlier.where.replace(/^.*, line/s, 'line')}`]
        : []),
      ...(/^\$\{\w+\}$/.test(value.trim())
        ? [`${where}: ${name}: rowmill replaces no variables. It takes the value as it is`]
        : []),
    ]
  })
}

/** The number of the line at an offset. Offsets must rise. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1
  let at = 0
  return offset => {
    for (; at < offset; at++) if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n')) line++
    return line
  }
}

function usage(message: string): RowmillError {
  return new RowmillError('USAGE', message)
}
