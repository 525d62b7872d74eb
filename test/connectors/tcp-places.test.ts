/** Where a message about a TCP sender says that a fault is: `frame 3` counts frames, `line 3` counts lines. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { TcpSource } from '../../connectors/tcp-source.ts'
import { frameOf } from '../../src/support/frame.ts'

const END = Buffer.from([0, 0, 0, 1, 4])
/** One frame of three lines, and an empty frame. The next one is frame 4, and begins in line 6. */
const BEFORE = ['ID,A', '1,"x\ny\rz"', ''].map(frameOf)

/** Reads all that a sender of these frames sends. */
async function readFrom(t: TestContext, frames: readonly Uint8Array[]): Promise<void> {
  const say = (message: string) => {
    const port = /^listening on tcp:\/\/127\.0\.0\.1:(\d+) /.exec(message)?.[1]
    if (port === undefined) return
    const socket = connect(Number(port), '127.0.0.1', () => socket.end(Buffer.concat([...frames, END])))
    socket.on('error', () => {}) // the source resets it
    t.after(() => socket.destroy())
  }
  const address = { host: '127.0.0.1', port: 0 }
  const source = new TcpSource({ address, readCsv: {}, delimiter: null, indexKind: null, say })
  t.after(() => source.close())
  await source.open()
  for await (const _ of source.rows());
}

for (const [what, bad, code, message, facts] of [
  ['too many cells', frameOf('2,x,y'), 'INPUT_FIELDS', /, line 6: expected 2 cells/, { line: 6 }],
  ['an open quote', frameOf('2,"x'), 'INPUT_QUOTE', /\bline 6\b/, { line: 6 }],
  ['two records', frameOf('2,x\n3,y'), 'INPUT_FIELDS', /: frame 4 holds 2 records\. /, { frame: 4 }],
  [
    'bytes that are not UTF-8',
    Buffer.from('\0\0\0\x03' + '2,\xfc', 'latin1'),
    'INPUT_ENCODING',
    /: frame 4 is not valid UTF-8\. Send each record as UTF-8\.$/,
    { frame: 4 },
  ],
] as const) {
  test(`a fault after a frame of three lines is found at its place: ${what}`, async t => {
    await assert.rejects(readFrom(t, [...BEFORE, bad]), error => {
      const found = error as { code: string; message: string; facts: Record<string, unknown> }
      assert.equal(found.code, code)
      assert.match(found.message, message)
      assert.deepEqual({ ...found.facts, ...facts }, found.facts)
      return true
    })
  })
}
