import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ArrivalOrder } from '../../src/core/arrival-order.ts'
import { isReject, outcomesOf } from '../../src/core/result-slice.ts'
import type { ArrivalCheckpoint } from '../../src/core/row-order.ts'
import type { Result } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

/** The result of the row at this input offset; every seventh is rejected. */
function result(partition: number, first: number, columns = ['c']): Result {
  const rejects = first % 7 === 0
  const rejected = rejects ? [{ index: 0, seq: null, line: null, reason: 'NO', detail: '', values: [] }] : []
  const rows = rejects ? [] : [[`row ${first} of ${partition}`]]
  return resultRecord({ first, offset: first, columns, rejected, rows })
}

const START = (partitions: number): ArrivalCheckpoint => ({
  counts: { rows: 0, rejects: 0, duplicates: 0 },
  offsets: Array.from({ length: partitions }, () => 0),
  highest: Array.from({ length: partitions }, () => -1),
})

/** A log for each partition: input offsets, with holes; after one of them, the last `back` are repeated. */
const anyLogs = fc.array(
  fc.array(fc.record({ step: fc.integer({ min: 1, max: 4 }), back: fc.constantFrom(0, 0, 0, 1, 3) }), {
    maxLength: 20,
  }),
  { minLength: 1, maxLength: 4 },
)

function logsOf(hands: readonly (readonly { step: number; back: number }[])[]): number[][] {
  return hands.map(hand => {
    const log: number[] = []
    let offset = -1
    for (const { step, back } of hand) {
      offset += step
      log.push(offset, ...log.slice(Math.max(0, log.length - back)))
    }
    return log
  })
}

test('a late partition is read from its start, and is in the checkpoint before its first message', () => {
  const order = new ArrivalOrder('j', START(1))
  order.offer({ topic: 't', partition: 0, offset: 0 }, result(0, 3))
  order.reach([0, 5, 9])
  assert.equal(order.offer({ topic: 't', partition: 2, offset: 9 }, result(2, 0)), 1)
  assert.equal(order.offer({ topic: 't', partition: 2, offset: 10 }, result(2, 0)), 0)
  assert.deepEqual(order.checkpoint.offsets, [0, 5, 9])
  order.take()
  const { offsets, highest } = order.checkpoint
  assert.deepEqual(
    [offsets, highest],
    [
      [1, 5, 11],
      [3, -1, 0],
    ],
  )
  order.reach([0, 5, 9])
  assert.deepEqual(order.checkpoint.offsets, offsets)
})

test('every row comes out once, in order of arrival, wherever a reader restarts', () => {
  fc.assert(
    fc.property(anyLogs, fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }), (hands, dice) => {
      const logs = logsOf(hands)
      const cursors = logs.map(() => 0)
      let order = new ArrivalOrder('j', START(logs.length))
      const out: string[] = []
      const expected: string[] = []
      const seen = new Set<string>()
      let read = 0
      const take = () => {
        for (const slice of order.take())
          for (const place of outcomesOf(slice))
            out.push(!isReject(place) ? place[0]![0]! : `row ${slice.result.first} of ${slice.partition}`)
      }
      for (let i = 0; logs.some((log, at) => cursors[at]! < log.length); i++) {
        const thrown = dice[i % dice.length]! + i
        const open = logs.flatMap((log, at) => (cursors[at]! < log.length ? [at] : []))
        const partition = open[thrown % open.length]!
        const offset = cursors[partition]!++
        const first = logs[partition]![offset]!
        const name = `row ${first} of ${partition}`
        const isNew = !seen.has(name)
        seen.add(name)
        if (isNew) expected.push(name)
        read++
        const place = { topic: 'results', partition, offset }
        assert.equal(order.offer(place, result(partition, first)), isNew ? 1 : 0)
        if (thrown % 3 === 0) take()
        if (thrown % 5 !== 0) continue
        take()
        const kept: ArrivalCheckpoint = JSON.parse(JSON.stringify(order.checkpoint))
        assert.deepEqual(kept.offsets, cursors)
        order = new ArrivalOrder('j', kept)
      }
      take()
      assert.deepEqual(out, expected)
      const { rows, rejects, duplicates } = order.counts
      assert.deepEqual([rows + rejects, rows + rejects + duplicates], [expected.length, read])
    }),
    { numRuns: 1000 },
  )
})

test('rows that were offered but not taken are after the checkpoint', () => {
  const order = new ArrivalOrder('j', START(2))
  const at = (partition: number, offset: number) => ({ topic: 'results', partition, offset })
  order.offer(at(0, 3), result(0, 10))
  order.take()
  order.offer(at(0, 4), result(0, 10))
  order.offer(at(0, 5), result(0, 11))
  order.offer(at(1, 7), result(1, 20))
  order.offer(at(0, 6), result(0, 15))
  assert.deepEqual(order.checkpoint.offsets, [5, 7])
  assert.deepEqual(order.checkpoint.highest, [10, -1])
  assert.equal(order.take().length, 3)
  assert.deepEqual(order.checkpoint.offsets, [7, 8])
  assert.deepEqual(order.checkpoint.highest, [15, 20])
})

test('rows taken at once have one set of columns', () => {
  const order = new ArrivalOrder('j', START(1))
  const columns = [['a'], ['a'], ['b'], ['b']]
  columns.forEach((names, offset) => {
    order.offer({ topic: 'results', partition: 0, offset }, result(0, offset + 1, names))
  })
  const lengths = [order.take().length, order.take().length, order.take().length]
  assert.deepEqual(lengths, [2, 2, 0])
})

test('a result of several rows is malformed', () => {
  const order = new ArrivalOrder('j', START(1))
  const two = { ...result(0, 1), count: 2, rows: [['x'], ['y']] }
  assert.throws(() => order.offer({ topic: 'results', partition: 0, offset: 0 }, two), { code: 'ROW_MALFORMED' })
})
