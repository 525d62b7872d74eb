import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Batch, Batcher, type Marker, type RowsMessage } from '../../src/core/batcher.ts'
import { describeBatch } from '../../src/core/describe-batch.ts'
import { IntervalSet } from '../../src/core/intervals.ts'
import type { Barrier, EndOfInput } from '../../src/model.ts'

const NO_BYTES = new Uint8Array()

function rows(seq: number, count: number, job = 'j'): RowsMessage {
  return { head: { job, epoch: 0, from: 0, seq, count, line: seq + 2, lineSteps: null }, bytes: NO_BYTES }
}

const end: EndOfInput = { job: 'j', epoch: 0, from: 0, attempt: 0, partition: 0, rows: 3, total: 3 }

/** The rows of a batch, as job and seq. */
function texts(batch: Batch | null): string[] | undefined {
  return batch?.parts.flatMap(({ message: { head }, skip, count }) =>
    Array.from({ length: count }, (_, i) => `${head.job}${head.seq! + skip + i}`),
  )
}

test('consecutive messages of a job make one batch, up to the requested number of rows', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 2), 0)
  batcher.addRows(1, rows(2, 2), 2)
  assert.deepEqual(texts(batcher.cutBatch(3)), ['j0', 'j1', 'j2'])
  const rest = batcher.cutBatch(3)!
  assert.deepEqual([texts(rest), rest.first, rest.offset, describeBatch(rest)], [['j3'], 3, 1, 'row 3 (from line 5)'])
  assert.equal(batcher.cutBatch(3), null)
})

test('nothing above a message that waits for its job is committed, and its output keeps its place', () => {
  const batcher = new Batcher(5)
  batcher.addRows(5, rows(0, 1), 0)
  batcher.defer(6)
  batcher.defer(7)
  batcher.addRows(8, rows(1, 1), 1)
  const others = batcher.cutBatch(100)!
  assert.deepEqual(texts(others), ['j0', 'j1'])
  batcher.settle(others)
  assert.deepEqual([batcher.lowWater, batcher.isEmpty], [6, false])
  batcher.addRows(9, rows(2, 1), 2)
  batcher.addRows(6, rows(0, 1, 'late'), 0)
  batcher.decide(6)
  batcher.addRows(7, rows(1, 1, 'late'), 1)
  batcher.decide(7)
  assert.equal(batcher.lowWater, 6)
  const late = batcher.cutBatch(100)!
  assert.deepEqual(texts(late), ['late0', 'late1'])
  const last = batcher.cutBatch(100)!
  batcher.settle(last)
  assert.equal(batcher.lowWater, 6)
  batcher.settle(late)
  assert.deepEqual([batcher.lowWater, batcher.isEmpty], [10, true])
})

test('a message that waited for its job in vain is skipped', () => {
  const batcher = new Batcher(0)
  batcher.defer(0)
  batcher.pass(1)
  assert.equal(batcher.lowWater, 0)
  batcher.pass(0)
  batcher.decide(0)
  assert.deepEqual([batcher.lowWater, batcher.isEmpty], [2, true])
})

test('a message deferred for two reasons is decided when both are gone', () => {
  const batcher = new Batcher(0)
  for (const offset of [0, 1, 0]) batcher.defer(offset)
  for (const offset of [1, 2, 0]) batcher.pass(offset)
  batcher.decide(0)
  assert.deepEqual([batcher.lowWater, batcher.isEmpty], [0, false])
  batcher.decide(0)
  assert.equal(batcher.lowWater, 1)
  batcher.decide(1)
  assert.deepEqual([batcher.lowWater, batcher.isEmpty], [3, true])
})

test('after an open row, a million messages without results take no time, and are committed later', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 1), 0)
  const row = batcher.cutBatch(1)!
  let next = 0
  for (let offset = 1; offset < 1_000_000; offset++) {
    batcher.pass(offset)
    if (batcher.next) next++
  }
  batcher.addRows(1_000_000, rows(1, 1), 1)
  assert.deepEqual([next, batcher.lowWater], [0, 0])
  batcher.settle(row)
  assert.equal(batcher.lowWater, 1_000_000)
})

test('a jump in the positions closes a batch', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 2), 0)
  batcher.addRows(1, rows(8, 2), 4)
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j0', 'j1'])
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j8', 'j9'])
})

test('rows already seen in this assignment are dropped and counted, even if a message overlaps', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 3), 0)
  batcher.addRows(1, rows(0, 2), 0)
  batcher.addRows(2, rows(2, 3), 2)
  assert.deepEqual(texts(batcher.cutBatch(100)), ['j0', 'j1', 'j2', 'j3', 'j4'])
  assert.equal(batcher.duplicates, 3)
})

test('an assignment may begin at any position: another worker did the rows before it', () => {
  const batcher = new Batcher(70)
  batcher.addRows(70, rows(500, 2), 300)
  assert.equal(batcher.cutBatch(100)!.first, 300)
})

test('a job that interleaves with another is batched across its rows', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 1), 0)
  batcher.addRows(1, rows(0, 1, 'other'), 0)
  batcher.addRows(2, rows(1, 1), 1)
  const first = batcher.cutBatch(100)!
  assert.deepEqual(texts(first), ['j0', 'j1'])
  batcher.settle(first)
  assert.equal(batcher.lowWater, 1, 'offset 1 still has a row of the other job')
  batcher.settle(batcher.cutBatch(100)!)
  assert.equal(batcher.lowWater, 3)
})

test('the low-water mark stays at the lowest offset with an unacknowledged row', () => {
  const batcher = new Batcher(10)
  batcher.addRows(10, rows(0, 2), 0)
  batcher.addRows(11, rows(2, 2), 2)
  const [a, b] = [batcher.cutBatch(1)!, batcher.cutBatch(3)!]
  assert.equal(batcher.lowWater, 10)
  batcher.settle(b)
  assert.equal(batcher.lowWater, 10)
  batcher.settle(a)
  assert.equal(batcher.lowWater, 12)
})

test('positions that already have a row are not handed out; a message is done when its runs are', () => {
  const batcher = new Batcher(0)
  const done = new IntervalSet()
  done.add(1, 3)
  done.add(4, 5)
  done.add(6, 9)
  batcher.addRows(0, rows(0, 6), 0, done)
  batcher.addRows(1, rows(6, 3), 6, done)
  batcher.addRows(2, rows(9, 1), 9, done)
  assert.equal(batcher.waiting, 4)
  const batches = [0, 1, 2, 3].map(() => batcher.cutBatch(100)!)
  assert.deepEqual(batches.map(texts), [['j0'], ['j3'], ['j5'], ['j9']])
  assert.deepEqual(
    batches.map(({ first, offset }) => [first, offset]),
    [
      [0, 0],
      [3, 0],
      [5, 0],
      [9, 2],
    ],
  )
  const marks = [0, 1, 3, 2].map(at => {
    batcher.settle(batches[at]!)
    return batcher.lowWater
  })
  assert.deepEqual(marks, [0, 0, 0, 3])
  assert.ok(batcher.isEmpty)
})

test('a marker comes out after the batches of the rows before it, and no batch spans it', () => {
  const batcher = new Batcher(0)
  batcher.addRows(0, rows(0, 3), 0)
  batcher.addEnd(1, end)
  assert.equal(batcher.cutMarker(), null)
  const batch = batcher.cutBatch(100)!
  assert.equal(batcher.cutBatch(100), null)
  const marker = batcher.cutMarker()!
  assert.equal(marker.record.value, end)
  batcher.settle(marker)
  assert.equal(batcher.lowWater, 0)
  batcher.settle(batch)
  assert.equal(batcher.lowWater, 2)
})

test('a message without a result moves the low-water mark as soon as all before it is done', () => {
  const batcher = new Batcher(4)
  batcher.pass(4)
  assert.equal(batcher.lowWater, 5)
  batcher.addRows(5, rows(0, 1), 0)
  batcher.pass(6)
  assert.equal(batcher.lowWater, 5)
  batcher.drop('j')
  assert.deepEqual([batcher.lowWater, batcher.waiting], [7, 0])
})

test('a batch says where its rows begin, even if rows have several lines or none is known', () => {
  const batcher = new Batcher(0)
  const { head, bytes } = rows(10, 3)
  batcher.addRows(0, { head: { ...head, line: 20, lineSteps: [1, 4, 1] }, bytes }, 10)
  batcher.addRows(1, rows(13, 2), 13)
  assert.equal(describeBatch(batcher.cutBatch(2)!), 'rows 10 to 11 (from line 20 to 21)')
  assert.equal(describeBatch(batcher.cutBatch(2)!), 'rows 12 to 13 (from line 25 to 15)')
  batcher.addRows(2, { head: { ...head, seq: 15, line: null }, bytes }, 15)
  assert.equal(describeBatch(batcher.cutBatch(9)!), 'rows 14 to 17 (from line 16)')
  batcher.addRows(3, { head: { ...head, seq: 18, line: null }, bytes }, 18)
  assert.equal(describeBatch(batcher.cutBatch(9)!), 'rows 18 to 20')
})

/**
 * What a partition may hold of a few jobs: runs in order, some of them repeated, and an end of input after each job.
 */
const anyLog = fc
  .array(
    fc.record({
      job: fc.constantFrom('a', 'b', 'c'),
      size: fc.integer({ min: 1, max: 9 }),
      back: fc.constantFrom(0, 0, 0, 1, 5, 30),
      jump: fc.constantFrom(0, 0, 0, 0, 7),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map(steps => {
    const next: Record<string, number> = { a: 0, b: 0, c: 0 }
    const runs = steps.map(({ job, size, back, jump }) => {
      const position = Math.max(0, next[job]! - back) + (back === 0 ? jump : 0)
      next[job] = Math.max(next[job]!, position + size)
      return { job, position, size }
    })
    return [...runs, ...Object.keys(next).map(job => ({ job, position: 0, size: 0 }))]
  })

/** The next step: a message arrives, a batch of at most `max` rows or a marker is cut, or something is settled. */
const anyActs = fc.array(
  fc.oneof(
    fc.constant({ act: 'add' } as const),
    fc.record({ act: fc.constant('cut' as const), max: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ act: fc.constant('settle' as const), which: fc.nat() }),
  ),
  { maxLength: 120 },
)

test('for any log and order of settling, every row comes out once and nothing open is committed', () => {
  fc.assert(
    fc.property(anyLog, anyActs, fc.nat(500), (log, acts, start) => {
      const batcher = new Batcher(start)
      const open = new Map<number, Set<string>>()
      const cut: (Batch | Marker)[] = []
      const out: string[] = []
      const seen = new Set<string>()
      const next = new Map<string, number>()
      let added = 0
      let mark = start
      const check = () => {
        const lowest = [...open].find(([, rows]) => rows.size > 0)?.[0] ?? start + added
        assert.equal(batcher.lowWater, lowest)
        assert.ok(batcher.lowWater >= mark, 'it went back')
        mark = batcher.lowWater
      }
      const add = () => {
        const { job, position, size } = log[added]!
        const offset = start + added++
        const names = Array.from({ length: size }, (_, i) => `${job}${position + i}`)
        // Skipped positions were done before this assignment: they count as seen.
        const news = names.slice(Math.max(0, (next.get(job) ?? 0) - position))
        next.set(job, Math.max(next.get(job) ?? 0, position + size))
        open.set(offset, new Set(size === 0 ? [`end of ${job}`] : news))
        for (const name of news) seen.add(name)
        if (size === 0) batcher.addEnd(offset, { ...end, job })
        else batcher.addRows(offset, rows(position, size, job), position)
      }
      const cutOne = (max: number) => {
        const item = batcher.cutBatch(max) ?? batcher.cutMarker()
        if (!item) return false
        cut.push(item)
        if (item.kind === 'marker') out.push(`end of ${item.record.value.job}`)
        else {
          const names = texts(item)!
          assert.ok(names.length > 0 && names.length === item.count && item.count <= max)
          assert.deepEqual(
            names,
            names.map((_, i) => `${item.job}${item.first + i}`),
          )
          out.push(...names)
        }
        return true
      }
      const settle = (which: number) => {
        const [item] = cut.splice(which % cut.length, 1)
        const names = item!.kind === 'marker' ? [`end of ${item!.record.value.job}`] : texts(item as Batch)!
        for (const rows of open.values()) for (const name of names) rows.delete(name)
        batcher.settle(item!)
      }
      for (const act of acts) {
        if (act.act === 'add' && added < log.length) add()
        else if (act.act === 'cut') cutOne(act.max)
        else if (act.act === 'settle' && cut.length > 0) settle(act.which)
        check()
      }
      while (added < log.length) add()
      while (cutOne(7));
      while (cut.length > 0) settle(acts.length)
      check()
      assert.equal(batcher.lowWater, start + log.length)
      assert.deepEqual(out.toSorted(), [...seen, ...['a', 'b', 'c'].map(job => `end of ${job}`)].toSorted())
      for (const job of ['a', 'b', 'c']) {
        const own = out.filter(name => name[0] === job)
        assert.deepEqual(
          own,
          own.toSorted((x, y) => Number(x.slice(1)) - Number(y.slice(1))),
        )
        assert.ok(own.every(name => out.indexOf(name) < out.indexOf(`end of ${job}`)))
      }
    }),
    { numRuns: 500 },
  )
})

test('after the end of input known rows are copies, and new rows or other ends contradict it', () => {
  const batcher = new Batcher(0)
  const head = (seq: number, count: number) => rows(seq, count).head
  assert.equal(batcher.flawOfRows(head(0, 9), 0), null)
  batcher.addRows(0, rows(0, 3), 0)
  batcher.addEnd(1, end)
  assert.equal(batcher.flawOfRows(head(1, 2), 1), null)
  assert.match(batcher.flawOfRows(head(2, 2), 2)!, /^rows up to position 3 .* says that there are 3$/)
  assert.equal(batcher.flawOfRows({ ...head(2, 2), job: 'other' }, 2), null)
  assert.equal(batcher.flawOfEnd({ ...end }), null)
  for (const more of [{ rows: 4 }, { total: 4 }])
    assert.match(batcher.flawOfEnd({ ...end, ...more })!, /an earlier one says 3 of 3$/)
})

test('after a newer epoch nothing of an older one comes out, and everything before it does', () => {
  const of = (epoch: number, seq: number): RowsMessage => {
    const { head, bytes } = rows(seq, 1)
    return { head: { ...head, epoch, from: epoch === 0 ? 0 : 1 }, bytes }
  }
  const barrier: Barrier = { ...rows(0, 0).head, seq: null, count: 0, epoch: 1, rows: [] }
  const batcher = new Batcher(0)
  batcher.addRows(0, of(0, 0), 0)
  batcher.addRows(1, of(0, 1), 1)
  batcher.addBarrier(2, barrier)
  batcher.addRows(3, of(0, 2), 2)
  batcher.addEnd(4, end)
  batcher.addRows(5, of(1, 1), 1)
  batcher.addBarrier(6, { ...barrier, epoch: 0 })
  assert.equal(batcher.flawOfEnd({ ...end, rows: 7, total: 7 }), null, 'an older end of input is ignored')
  const first = batcher.cutBatch(100)!
  assert.deepEqual([texts(first), first.epoch], [['j0', 'j1'], 0])
  const marker = batcher.cutMarker()!
  assert.deepEqual(marker.record, { kind: 'rows', value: barrier })
  const second = batcher.cutBatch(100)!
  assert.deepEqual([texts(second), second.epoch, second.from], [['j1'], 1, 1])
  assert.equal(batcher.cutMarker(), null)
  for (const item of [marker, second, first]) batcher.settle(item)
  assert.deepEqual([batcher.lowWater, batcher.duplicates], [7, 1])
})

test('unsequenced rows are batched across the holes between them, and a refused one is alone', () => {
  const at = (offset: number, refusal?: RowsMessage['refusal']) => {
    const { head, bytes } = rows(0, 1)
    batcher.addRows(offset, { head: { ...head, seq: null, line: null }, bytes, ...(refusal && { refusal }) }, offset)
  }
  const batcher = new Batcher(3)
  at(3)
  batcher.pass(4)
  at(5)
  at(7, { reason: 'ROW_MALFORMED', detail: 'no' })
  at(8)
  const cut = [batcher.cutBatch(100)!, batcher.cutBatch(100)!, batcher.cutBatch(100)!]
  assert.deepEqual(
    cut.map(({ first, count, parts }) => [first, count, parts.map(({ entry }) => entry.offset)]),
    [
      [3, 2, [3, 5]],
      [7, 1, [7]],
      [8, 1, [8]],
    ],
  )
  assert.deepEqual(cut.slice(0, 2).map(describeBatch), ['the rows at offsets 3 to 5', 'the row at offset 7'])
  assert.equal(batcher.cutBatch(100), null)
})
