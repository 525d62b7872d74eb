/** The example of each error code in docs/errors.md is a message that the code can print. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorEntries } from '../src/cli/error-page.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** A literal with less text than this proves nothing: it may be part of any message. */
const MIN_CHARS = 8

/** Words of other programs, which the examples insert. */
const FOREIGN = [
  'unexpected end of file',
  'ENOSPC: no space left on device, write',
  "ModuleNotFoundError: No module named 'sklearn'",
  'ValueError: no such word',
  'Connection error: connect ECONNREFUSED',
  'connect ECONNREFUSED',
  'The server experienced an unexpected error when processing the request',
  'Cannot read properties of undefined',
  'CERT_HAS_EXPIRED',
  'Authentication failed: Invalid username or password',
  'invalid syntax',
]
/** Names, places and numbers that the examples insert. */
const INSERTED = [
  /\b(nightly|orders|stock|SCORE|TEXT|NAME|classify(_df|_row)?|float|integer|sep|cleanup\.policy|delete|compact|one|two)\b/g,
  /\b((rows|classified|in)\.csv(\.gz|\.rowmill)?|black_box\.py|rowmill(\.(rows|results|Job))?)(?![\w.]*\w)/g,
  /\b(127\.0\.0\.1:\d+|http:\/\/127\.0\.0\.1:8081|(publisher )?host-\d(-\d)?|[ab]-1|python3)\b|--batch-rows/g,
  /\b(User:alice|Read|topic)\b/g,
  /\b(line \d+|rows? \d+( to \d+)?|\d+ rows?|signal SIG[A-Z]+|CLASSIFIER_[A-Z]+|SIG[A-Z]+|\d+)\b/g,
]

const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/
const INSERTION = /\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}/
const TEMPLATE = new RegExp(`\`(?:${INSERTION.source}|[^\`\\\\]|\\\\.)*\``)
const LITERAL = new RegExp(`${STRING.source}|${TEMPLATE.source}`, 'g')

/** The string literals of some code, also those inside templates. Each is the list of its texts between insertions. */
function literals(code: string, insertion: RegExp): string[][] {
  return [...code.matchAll(LITERAL)].flatMap(([literal]) => {
    const inner = literal.startsWith('`') ? [...literal.matchAll(new RegExp(INSERTION, 'g'))] : []
    const text = literal
      .slice(1, -1)
      .replaceAll(/\\(['"`\\])/g, '$1')
      .replaceAll('\\n', ' ')
    return [text.split(insertion), ...inner.flatMap(([code]) => literals(code.slice(2, -1), insertion))]
  })
}

const LITERALS = globSync('{src,connectors}/**/*.{ts,py}', { cwd: ROOT, exclude: ['src/testing/**'] })
  .flatMap(file => {
    const code = read(file).replaceAll(/^ *(\/\/|\/?\*|#).*$| \/\/ .*$/gm, '')
    return literals(code, file.endsWith('.py') ? /\{[^{}]*\}/ : INSERTION)
  })
  .filter(texts => texts.join('').length >= MIN_CHARS && texts.join('').includes(' '))
  .sort((a, b) => b.join('').length - a.join('').length)

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

/** The message without the texts of a literal, wherever it has all of them in order. What they insert stays. */
function without(message: string, texts: readonly string[]): string {
  const inner = texts.slice(texts[0] === '' ? 1 : 0, texts.at(-1) === '' ? -1 : undefined)
  const pattern = inner.map(text => `(${escaped(text)})`).join('(.*?)')
  return message.replaceAll(new RegExp(pattern, 'g'), (_, ...groups) => {
    const inserted = groups.slice(0, 2 * inner.length - 1).filter((_, at) => at % 2 === 1)
    return `\0${inserted.join('\0')}\0`
  })
}

/** The words of a message that neither a literal nor an insertion has. */
function unknownWords(message: string): string[] {
  let left = message
  for (const words of FOREIGN) left = left.replaceAll(words, '\0')
  for (const texts of LITERALS) left = without(left, texts)
  for (const value of INSERTED) left = left.replaceAll(value, '\0')
  return left.match(/[\p{L}\p{N}]+/gu) ?? []
}

for (const { code, example } of errorEntries(read('docs/errors.md'))) {
  test(`the example of ${code} is a message of the code`, () => {
    const message = example.replace(/^rowmill: /, '').replace(/ ?\[[A-Z_]+\]$/, ' ') // a second line may follow
    assert.deepEqual(unknownWords(message), [], `no literal of src or connectors has these words of: ${message}`)
  })
}
