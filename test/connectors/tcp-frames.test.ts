import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeAddress, tcpAddress } from '../../connectors/tcp/address.ts'
import { MAX_FRAME_BYTES, readFrames } from '../../connectors/tcp/frames.ts'
import { frameOf } from '../../src/support/frame.ts'
import { isLoopback } from '../../src/support/loopback.ts'
import { anyCharacter } from '../helpers/any-character.ts'

const END = Buffer.from([0, 0, 0, 1, 4])

/** The bytes in pieces that end at these places. */
async function* pieces(bytes: Buffer, places: readonly number[] = []): AsyncGenerator<Buffer> {
  let from = 0
  for (const to of [...places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, to)
    from = to
  }
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string[]> {
  const frames: string[] = []
  for await (const some of readFrames(stream, 'tcp://sender'))
    frames.push(...some.map(each => Buffer.from(each).toString()))
  return frames
}

test('frames come out as sent, wherever the stream is split', async () => {
  const texts = fc.array(fc.string({ unit: anyCharacter, maxLength: 300 }).filter(text => text !== '\u0004'))
  await fc.assert(
    fc.asyncProperty(texts, fc.array(fc.nat(), { maxLength: 20 }), async (sent, places) => {
      const bytes = Buffer.concat([...sent.map(frameOf), END, Buffer.from('never read')])
      const whole = sent.map(text => Buffer.from(text).toString())
      assert.deepEqual(await read(pieces(bytes, places)), whole)
    }),
    { numRuns: 100 },
  )
})

test('nothing is read after the frame that ends the job, even if the connection stays open', async () => {
  async function* open(): AsyncGenerator<Buffer> {
    yield Buffer.concat([frameOf('ID,A'), END])
    assert.fail('the reader asked for more')
  }
  assert.deepEqual(await read(open()), ['ID,A'])
})

test('04 ends a job only as a frame of exactly that byte', async () => {
  const frames = ['\u0004\u0004', '1,\u0004', '']
  assert.deepEqual(await read(pieces(Buffer.concat([...frames.map(frameOf), END]))), frames)
})

for (const [what, bytes, message] of [
  ['before its first frame', Buffer.alloc(0), /closed the connection after frame 0/],
  ['after a frame', frameOf('ID,A'), /closed the connection after frame 1/],
  ['in the middle of a frame', frameOf('ID,A').subarray(0, 6), /in the middle of frame 1/],
  ['in the middle of a length', Buffer.concat([frameOf('ID,A'), END.subarray(0, 3)]), /in the middle of frame 2/],
  ['before the last byte', Buffer.concat([frameOf('ID,A'), END.subarray(0, 4)]), /in the middle of frame 2/],
] as const) {
  test(`a sender that leaves ${what} does not end the input`, async () => {
    await assert.rejects(read(pieces(bytes)), { code: 'INPUT_UNREADABLE', message })
  })
}

test('a frame that announces more than the bound is refused before it is read, with its number', async () => {
  for (const length of [MAX_FRAME_BYTES + 1, 2 ** 31, 2 ** 32 - 1]) {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(length)
    await assert.rejects(read(pieces(Buffer.concat([frameOf('ID,A'), head]))), {
      code: 'INPUT_ROW_TOO_LARGE',
      message: new RegExp(`frame 2 announces ${length} bytes, and the limit is ${MAX_FRAME_BYTES}`),
    })
  }
  const largest = 'x'.repeat(MAX_FRAME_BYTES)
  assert.deepEqual(await read(pieces(Buffer.concat([frameOf(largest), END]), [100, 5_000_000])), [largest])
})

test('an address is tcp://HOST:PORT, on loopback by default', () => {
  for (const [text, host, port, loopback] of [
    ['tcp://127.0.0.1:5001', '127.0.0.1', 5001, true],
    ['tcp://:5001', '127.0.0.1', 5001, true],
    ['tcp://localhost:0', 'localhost', 0, true],
    ['tcp://[::1]:65535', '::1', 65535, true],
    ['tcp://0.0.0.0:1', '0.0.0.0', 1, false],
    ['tcp://[::]:1', '::', 1, false],
    ['tcp://rows.example:9', 'rows.example', 9, false],
  ] as const) {
    const address = tcpAddress(text)!
    assert.deepEqual([address.host, address.port, isLoopback(address.host)], [host, port, loopback], text)
    if (!text.includes('//:')) assert.equal(describeAddress(address), text)
  }
  for (const text of ['rows.csv', '-', 'http://x:1', './tcp://x:1']) assert.equal(tcpAddress(text), null)
  for (const text of [
    'tcp://',
    'tcp://x',
    'tcp://x:',
    'tcp://x:65536',
    'tcp://x:1/rows',
    'tcp://::1:5',
    'tcp://u:p@x:1',
  ])
    assert.throws(() => tcpAddress(text), { code: 'USAGE', message: /tcp:\/\/HOST:PORT/ }, text)
})
