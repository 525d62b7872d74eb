import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printable, printableLine } from '../../src/support/printable.ts'

const CASES: [string, string, string][] = [
  ['a colour', '\u001b[31mred', '\\u001b[31mred'],
  ['a window title', '\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
  ['the clipboard (OSC 52)', '\u001b]52;c;ZXZpbA==\u001b\\', '\\u001b]52;c;ZXZpbA==\\u001b\\'],
  ['a CSI of eight bits', '\u009b2J', '\\u009b2J'],
  ['carriage return and backspace', 'good\rbad\b\b\bok', 'good\\rbad\\b\\b\\bok'],
  ['DEL and NUL', 'a\u007fb\0', 'a\\u007fb\\u0000'],
  ['another direction of writing', 'a\u202etxt.exe\u2066\u200f', 'a\\u202etxt.exe\\u2066\\u200f'],
  ['line ends of Unicode', 'a\u2028b\u0085c', 'a\\u2028b\\u0085c'],
  ['half a surrogate pair', 'a\ud800', 'a\ufffd'],
  ['text as people write it', 'größer 日本 👩‍💻 שלום', 'größer 日本 👩‍💻 שלום'],
]

for (const [what, text, shown] of CASES) {
  test(`${what} is shown, not obeyed`, () => {
    assert.equal(printable(text), shown)
    assert.equal(printableLine(text), shown)
  })
}

test('lines and tabs stay unchanged, unless one line is requested', () => {
  assert.equal(printable('a\tb\r\nc\n'), 'a\tb\nc\n')
  assert.equal(printableLine('a\tb\r\nc\n'), 'a\\tb\\r\\nc\\n')
})
