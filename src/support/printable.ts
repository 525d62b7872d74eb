/**
 * Characters that a terminal obeys instead of showing: control characters (C0 with ESC, DEL, C1), controls of the writing
 * direction, which reorder a line, and the line ends of Unicode.
 */
const OBEYED = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/**
 * Makes text of others safe for a terminal or a log. Characters that a terminal obeys become escapes such as \u001b. Line
 * ends and tabs stay. A carriage return before a line end is dropped.
 */
export function printable(text: string): string {
  const lines = text.toWellFormed().replaceAll('\r\n', '\n')
  return lines.replaceAll(OBEYED, char => (char === '\n' || char === '\t' ? char : escaped(char)))
}

/** Like `printable`, but in one line: line ends and tabs become escapes too. */
export function printableLine(text: string): string {
  return text.toWellFormed().replaceAll(OBEYED, escaped)
}

function escaped(char: string): string {
  const inJson = JSON.stringify(char).slice(1, -1)
  return inJson === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : inJson
}
