import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { FewLines } from '../../src/support/few-lines.ts'
import { AssignedPartition } from '../../src/work/assigned-partition.ts'
import { RejectCopies } from '../../src/work/reject-copies.ts'
import type { RejectTopic } from '../../src/work/reject-topic.ts'

const FAULT = { reason: 'MALFORMED', why: 'it is not readable' }

/** Copies of `bytes` each, which a test acknowledges or refuses. */
function rejectCopies(bytes: number) {
  const said: string[] = []
  const faults: unknown[] = []
  const waiting: PromiseWithResolvers<void>[] = []
  const rejects = {
    topic: 'rejects',
    message: () => {
      waiting.push(Promise.withResolvers<void>())
      return { bytes, acked: waiting.at(-1)!.promise }
    },
  }
  const lines = new FewLines(text => said.push(text))
  const failed = (fault: unknown) => void faults.push(fault)
  const copies = new RejectCopies({ rejects: rejects as unknown as RejectTopic, lines, trace: null, failed })
  const queue = new PartitionQueue({ topic: 'rows', partition: 0, offset: 0 })
  const held = new AssignedPartition(queue, { attempt: 0, bulk: false, metadata: null, now: 0 })
  const send = (offset: number) => copies.send(held, { offset, key: null, value: null, timestamp: 0 }, FAULT)
  return { copies, held, send, waiting, said, faults }
}

/** How many copies are sent before one is acknowledged. */
async function sentAtOnce({ send, waiting }: ReturnType<typeof rejectCopies>): Promise<number> {
  void (async () => {
    for (let offset = 0; offset < 20_000; offset++) await send(offset)
  })()
  await turn()
  return waiting.length
}

test('at most 10,000 copies are unacknowledged, and each acknowledgement lets one more go', async () => {
  const parts = rejectCopies(100)
  assert.equal(await sentAtOnce(parts), 10_000)
  for (const { resolve } of parts.waiting.slice(0, 3)) resolve()
  await turn()
  assert.equal(parts.waiting.length, 10_003)
})

test('at most 4 MB of copies are unacknowledged', async () => {
  const parts = rejectCopies(64 * 1024)
  assert.equal(await sentAtOnce(parts), 64)
})

test('nothing from the lowest unacknowledged offset on is committed, in any order of acknowledgements', async () => {
  const { held, send, waiting } = rejectCopies(100)
  for (const offset of [0, 1, 2, 3]) await send(offset)
  const lowWaters: number[] = []
  for (const at of [1, 3, 0, 2]) {
    waiting[at]!.resolve()
    await turn()
    lowWaters.push(held.batcher.lowWater)
  }
  assert.deepEqual(lowWaters, [0, 0, 2, 4])
  assert.ok(held.batcher.isEmpty)
})

test('a copy that cannot be written is reported, is not committed, and delays no other copy', async () => {
  const parts = rejectCopies(100)
  const { held, waiting, faults, said } = parts
  await sentAtOnce(parts)
  const fault = new Error('no broker')
  waiting[0]!.reject(fault)
  await turn()
  assert.deepEqual([faults, held.batcher.lowWater, waiting.length], [[fault], 0, 10_001])
  assert.equal(said.length, 0, 'a line says that a copy is there')
})

test('a message of a partition that was returned is left to the next owner', async () => {
  const { held, send, waiting } = rejectCopies(100)
  held.queue.closed = true
  await send(0)
  assert.deepEqual([waiting.length, held.batcher.lowWater], [0, 0])
})
