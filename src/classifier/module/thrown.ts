import { fileURLToPath } from 'node:url'
import { RowmillError } from '../../errors.ts'

const LONGEST_MESSAGE = 4000
const NO_MODULE =
  'Its package.json says "type": "commonjs", where a file is no ES module: call it .mts (or .mjs), or say "type": "module".'
const OWN_FOLDER = fileURLToPath(new URL('../..', import.meta.url))

/** What a classifier in TypeScript threw, with the frames that are its own; `what` says who did what. */
export function failureOf(
  code: 'CLASSIFIER_FAILED' | 'CLASSIFIER_UNLOADABLE',
  what: string,
  thrown: unknown,
): RowmillError {
  const { text, stack } = describe(thrown)
  const lines = stack.split('\n')
  // Where TypeScript cannot be parsed the place stands in front, as `FILE:LINE` and the line; there is no frame of it.
  const place = /^\S.*:[0-9]+$/.test(lines[0]!) ? lines.slice(0, lines.indexOf('')) : []
  const own = lines.filter(line => /^ {4}at /.test(line) && !line.includes('node:') && !line.includes(OWN_FOLDER))
  const advice = code === 'CLASSIFIER_UNLOADABLE' ? adviceOn(text, place.length > 0) : []
  const message = [`${what}: ${text.slice(0, LONGEST_MESSAGE)}`, ...place, ...own, ...advice].join('\n')
  return new RowmillError(code, message, {}, { cause: thrown })
}

function adviceOn(text: string, placed: boolean): string[] {
  if (/Unexpected token 'export'|Cannot use import statement/.test(text)) return [NO_MODULE]
  return text.startsWith('SyntaxError') && !placed ? ['node --check FILE says where.'] : []
}

/** Anything may be thrown, also what throws when it is looked at. */
function describe(thrown: unknown): { text: string; stack: string } {
  try {
    if (!(thrown instanceof Error)) return { text: String(thrown), stack: '' }
    return { text: `${thrown.name}: ${thrown.message}`, stack: String(thrown.stack ?? '') }
  } catch {
    return { text: `something of type ${typeof thrown} that cannot be shown`, stack: '' }
  }
}

/** Whether rowmill threw it, and it says what it must. */
export function isRowmillError(thrown: unknown): thrown is RowmillError {
  try {
    return thrown instanceof RowmillError
  } catch {
    return false // a revoked proxy
  }
}
