/**
 * What a terminal obeys instead of showing it: the control characters (C0 with ESC, DEL, C1), the controls of the writing
 * direction, which make a line read as another one, and the line ends that only Unicode knows.
 */
const OBEYED = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/**
 * The text of others as it may go to a terminal or a log: what a terminal obeys is shown as an escape such as \u001b.
 * Line ends and tabs stay; a carriage return before a line end goes.
 */
export function printable(text: string): string {
  const lines = text.toWellFormed().replaceAll('\r\n', '\n')
  return lines.replaceAll(OBEYED, char => (char === '\n' || char === '\t' ? char : escaped(char)))
}

/** The same in one line: line ends and tabs are shown as escapes too. */
export function printableLine(text: string): string {
  return text.toWellFormed().replaceAll(OBEYED, escaped)
}

function escaped(char: string): string {
  const inJson = JSON.stringify(char).slice(1, -1)
  return inJson === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : inJson
}
