import { fileURLToPath } from 'node:url'
import { RowmillError } from '../../errors.ts'

const LONGEST_MESSAGE = 4000
const NO_MODULE =
  'Its package.json says "type": "commonjs", so Node does not read it as an ES module. Name it .mts (or .mjs), or set "type": "module".'
const OWN_FOLDER = fileURLToPath(new URL('../..', import.meta.url))

/** Describes what a classifier in TypeScript threw, with the lines of its own code. `what` begins the message. */
export function failureOf(
  code: 'CLASSIFIER_FAILED' | 'CLASSIFIER_UNLOADABLE',
  what: string,
  thrown: unknown,
): RowmillError {
  const { text, stack } = describe(thrown)
  const lines = stack.split('\n')
  // If TypeScript cannot be parsed, the stack begins with `FILE:LINE` and the line, and no other line names it.
  const place = /^\S.*:[0-9]+$/.test(lines[0]!) ? lines.slice(0, lines.indexOf('')) : []
  const own = lines.filter(line => /^ {4}at /.test(line) && !line.includes('node:') && !line.includes(OWN_FOLDER))
  const advice = code === 'CLASSIFIER_UNLOADABLE' ? adviceOn(text, place.length > 0) : []
  const message = [`${what}: ${text.slice(0, LONGEST_MESSAGE)}`, ...place, ...own, ...advice].join('\n')
  return new RowmillError(code, message, {}, { cause: thrown })
}

function adviceOn(text: string, placed: boolean): string[] {
  if (/Unexpected token 'export'|Cannot use import statement/.test(text)) return [NO_MODULE]
  return text.startsWith('SyntaxError') && !placed ? ['node --check FILE shows where.'] : []
}

/** Code may throw anything, even an object that throws when it is inspected. */
function describe(thrown: unknown): { text: string; stack: string } {
  try {
    if (!(thrown instanceof Error)) return { text: String(thrown), stack: '' }
    return { text: `${thrown.name}: ${thrown.message}`, stack: String(thrown.stack ?? '') }
  } catch {
    return { text: `something of type ${typeof thrown} that cannot be shown`, stack: '' }
  }
}

/** Whether rowmill itself threw it, so its message is complete. */
export function isRowmillError(thrown: unknown): thrown is RowmillError {
  try {
    return thrown instanceof RowmillError
  } catch {
    return false // a revoked proxy
  }
}
