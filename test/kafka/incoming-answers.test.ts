import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IncomingAnswers } from '../../src/kafka/incoming-answers.ts'
import { frameOf } from '../../src/support/frame.ts'

const answer = (id: number, content: string | Buffer) => {
  const number = Buffer.alloc(4)
  number.writeInt32BE(id)
  return frameOf(Buffer.concat([number, Buffer.from(content)]))
}
const LARGE = Buffer.alloc(2_500_000, 'large ')
const STREAM = Buffer.concat([answer(1, 'one'), answer(2, ''), answer(3, LARGE), answer(4, 'four')])
const WANTED = [
  { size: 7, correlationId: 1, payload: Buffer.from('one') },
  { size: 4, correlationId: 2, payload: Buffer.alloc(0) },
  { size: LARGE.length + 4, correlationId: 3, payload: LARGE },
  { size: 8, correlationId: 4, payload: Buffer.from('four') },
]

for (const bytes of [1, 3, 7, 65_536, STREAM.length]) {
  test(`answers are put together, however their bytes come: ${bytes} at a time`, () => {
    const answers = new IncomingAnswers()
    const memory = Buffer.alloc(bytes) // the same for each piece, as of a socket
    const found = []
    for (let at = 0; at < STREAM.length; at += bytes) {
      const end = STREAM.copy(memory, 0, at)
      found.push(...answers.take(memory.subarray(0, end)))
      memory.fill(0)
    }
    assert.deepEqual(found, WANTED)
  })
}

test('each answer has memory of its own, without room for more', () => {
  const buffers = new IncomingAnswers().take(STREAM).map(({ payload }) => payload.buffer)
  assert.equal(new Set(buffers).size, WANTED.length)
  assert.deepEqual(
    buffers.map(({ byteLength }) => byteLength),
    WANTED.map(({ payload }) => payload.length),
  )
})

test('a length that no answer has is an error, and a huge one takes no memory until its bytes come', () => {
  for (const length of [-1, 0, 3]) {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(length)
    assert.throws(() => new IncomingAnswers().take(bytes), { message: new RegExp(`claims to have ${length} bytes`) })
  }
  const before = process.memoryUsage().arrayBuffers
  new IncomingAnswers().take(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))
  assert.ok(process.memoryUsage().arrayBuffers - before < 16_000_000)
})
