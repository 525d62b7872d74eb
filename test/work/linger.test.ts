import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { encodeRows } from '../../src/wire/codec.ts'
import { AssignedPartition, type Slot } from '../../src/work/assigned-partition.ts'
import { Linger } from '../../src/work/linger.ts'
import { ManualTime } from '../helpers/manual-time.ts'

function partition(number: number) {
  const queue = new PartitionQueue({ topic: 'p.rows', partition: number, offset: 0 })
  const held = new AssignedPartition(queue, { attempt: 0, bulk: false, metadata: null, now: 0 })
  let offset = 0
  const add = (job: string) => {
    const head = { job, epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
    held.batcher.addRows(offset, { head, bytes: encodeRows({ ...head, rows: [['1', 'a']] }) }, offset)
    offset++
  }
  /** Cuts a batch with one more row. */
  const cut = (job = 'file'): Slot => {
    add(job)
    return held.add(held.batcher.cutBatch(100)!)
  }
  return { held, cut, add }
}

function lingering() {
  const time = new ManualTime()
  const sent: [number, number][] = []
  const linger = new Linger({
    time,
    isBounded: job => job === 'file',
    send(held) {
      let slots = 0
      while (held.takeReady()) slots++
      if (slots > 0) sent.push([held.queue.partition, slots])
    },
  })
  const answer = (held: AssignedPartition, slot: Slot, bytes = 1) => {
    slot.answer = { results: [Buffer.alloc(bytes)], rejected: [] }
    linger.ready(held)
  }
  return { time, sent, linger, answer }
}

test('results wait for each other, in all partitions, for 200 ms after the first of them', async () => {
  const { time, sent, answer } = lingering()
  const [one, two] = [partition(1), partition(2)]
  const slots = [one.cut(), one.cut(), one.cut()]
  const [other] = [two.cut(), two.cut()]
  answer(one.held, slots[0]!)
  await time.pass(150)
  answer(one.held, slots[1]!)
  answer(two.held, other!)
  await time.pass(49)
  assert.deepEqual(sent, [])
  await time.pass(1)
  assert.deepEqual(sent, [
    [1, 2],
    [2, 1],
  ])
})

test('the last result of a partition is sent at once, with those before it', () => {
  const { sent, answer } = lingering()
  const { held, cut } = partition(1)
  const [first, last] = [cut(), cut()]
  answer(held, first)
  assert.deepEqual(sent, [])
  answer(held, last)
  assert.deepEqual(sent, [[1, 2]])
})

test('a result waits while rows of its partition wait for the classifier', () => {
  const { sent, answer } = lingering()
  const { held, cut, add } = partition(1)
  const slot = cut()
  add('file')
  answer(held, slot)
  assert.deepEqual(sent, [])
})

test('a result of a job without end is sent at once, whatever follows', () => {
  const { sent, answer } = lingering()
  const { held, cut } = partition(1)
  const [live] = [cut('live'), cut('live')]
  answer(held, live!)
  assert.deepEqual(sent, [[1, 1]])
})

test('a result of a job without end waits for none of a file before it', () => {
  const { sent, answer } = lingering()
  const { held, cut } = partition(1)
  const [file, live] = [cut(), cut('live'), cut()]
  answer(held, file!)
  assert.deepEqual(sent, [])
  answer(held, live!)
  assert.deepEqual(sent, [[1, 2]])
})

test('64 kB of results wait no longer', () => {
  const { sent, answer } = lingering()
  const { held, cut } = partition(1)
  const [first, second] = [cut(), cut(), cut()]
  answer(held, first!, 40_000)
  assert.deepEqual(sent, [])
  answer(held, second!, 40_000)
  assert.deepEqual(sent, [[1, 2]])
})

test('nothing waits after close', () => {
  const { sent, linger, answer } = lingering()
  const { held, cut } = partition(1)
  const [first, second] = [cut(), cut(), cut()]
  answer(held, first!)
  linger.close()
  assert.deepEqual(sent, [[1, 1]])
  answer(held, second!)
  assert.deepEqual(sent, [
    [1, 1],
    [1, 1],
  ])
})
