import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { TextLine } from '../../../src/cli/status/layout.ts'
import { marked, StatusScreen } from '../../../src/cli/status/status-screen.ts'

const plain = (...texts: string[]): TextLine[] => texts.map(text => ({ text, tone: 'plain' }))

/** A terminal of this size that keeps what was written to it. */
function terminal(columns: number, rows: number) {
  const written: string[] = []
  return { columns, rows, written, write: (text: string) => written.push(text) }
}

/** The lines of the last frame, without what moves the cursor or marks them. */
function lastFrame({ written }: ReturnType<typeof terminal>): string[] {
  const frame = written.at(-1)!.split('\u001b[H')[1]!
  return stripVTControlCharacters(frame).replace(/\r\n$/, '').split('\r\n')
}

test('it draws on the second screen of the terminal, each frame over the last one, and gives the first back', () => {
  const out = terminal(80, 24)
  const screen = new StatusScreen(out)
  screen.show(plain('one', 'two'))
  screen.show(plain('three'))
  screen.close()
  screen.close()
  assert.deepEqual(out.written, [
    '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[?2026h\u001b[H\u001b[Kone\r\n\u001b[Ktwo\r\n\u001b[J\u001b[?2026l',
    '\u001b[?2026h\u001b[H\u001b[Kthree\r\n\u001b[J\u001b[?2026l',
    '\u001b[?7h\u001b[?25h\u001b[?1049l',
  ])
  screen.show(plain('again'))
  assert.ok(out.written.at(-1)!.startsWith('\u001b[?1049h'))
})

test('lines that do not fit are counted, so that nothing scrolls', () => {
  const out = terminal(40, 4)
  new StatusScreen(out).show(plain('1', '2', '3', '4'))
  assert.deepEqual(lastFrame(out), ['1', '2', '3', '4'])
  new StatusScreen(out).show(plain('1', '2', '3', '4', '5'))
  assert.deepEqual(lastFrame(out), ['1', '2', '3', '... 2 more lines'])
})

test('a command stays one line for whoever copies it, and takes as many rows as it needs', () => {
  const command: TextLine = { text: 'x'.repeat(90), tone: 'command' }
  const out = terminal(40, 4)
  new StatusScreen(out).show([...plain('1'), command])
  assert.deepEqual(lastFrame(out), ['1', command.text])
  assert.ok(out.written[0]!.includes(`\u001b[?7h${marked(command)}\u001b[?7l`))
  new StatusScreen(out).show([...plain('1', '2'), command])
  assert.deepEqual(lastFrame(out), ['1', '2', '... 1 more line'])
})

test('NO_COLOR leaves the marks out', () => {
  assert.equal(marked({ text: 'x', tone: 'bad' }, {}), '\u001b[1;31mx\u001b[0m')
  assert.equal(marked({ text: 'x', tone: 'bad' }, { NO_COLOR: '1' }), 'x')
  assert.equal(marked({ text: 'x', tone: 'plain' }, {}), 'x')
})
