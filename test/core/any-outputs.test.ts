/** Results whose positions have any number of output rows, in order, from checkpoints, and over attempts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AttemptMessage, MergedAttempts } from '../../src/core/merged-attempts.ts'
import { Reassembler } from '../../src/core/reassembler.ts'
import { rowsOf } from '../../src/core/result-slice.ts'
import type { SequenceCheckpoint } from '../../src/core/row-order.ts'
import { type Layout, rowsInPartition, seqOf } from '../../src/core/sequence.ts'
import type { Result } from '../../src/model.ts'
import { resultRecord } from '../helpers/result-record.ts'

interface AnyJob extends Layout {
  /** By seq the number of its output rows; -1 is a reject. */
  readonly outputs: readonly number[]
  /** The lengths of the results, used again and again. */
  readonly cuts: readonly number[]
  /** How far each result goes back over the one before. */
  readonly backs: readonly number[]
}

const anyJob: fc.Arbitrary<AnyJob> = fc.record({
  partitions: fc.integer({ min: 1, max: 4 }),
  blockRows: fc.integer({ min: 1, max: 5 }),
  outputs: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 1, maxLength: 80 }),
  cuts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
  backs: fc.array(fc.constantFrom(0, 0, 1, 4), { minLength: 1, maxLength: 9 }),
})

const START: SequenceCheckpoint = { seq: 0, counts: { rows: 0, rejects: 0, duplicates: 0 }, offsets: [] }
const outputOf = (seq: number, count: number, by = '') =>
  Array.from({ length: Math.max(0, count) }, (_, i) => [`${seq}/${i}${by}`])

/** The result of these positions. `by` marks its cells. */
function resultOf(job: AnyJob, partition: number, [first, end]: readonly [number, number], by = ''): Result {
  const seqs = Array.from({ length: end - first }, (_, i) => seqOf({ partition, position: first + i }, job))
  const outputs = seqs.map(seq => Math.max(0, job.outputs[seq]!))
  const rejected = seqs.flatMap((seq, index) =>
    job.outputs[seq] === -1 ? [{ index, seq, line: null, reason: 'NO', detail: '', values: [] }] : [],
  )
  const plain = outputs.every((count, index) => count === (job.outputs[seqs[index]!] === -1 ? 0 : 1))
  const rows = seqs.flatMap(seq => outputOf(seq, job.outputs[seq]!, by))
  return resultRecord({ first, count: seqs.length, rejected, outputs: plain ? null : outputs, rows })
}

/** The results of one partition. Those that go back hold copies, with other cells. */
function logOf(job: AnyJob, partition: number): Result[] {
  const total = rowsInPartition(partition, job.outputs.length, job)
  const log: Result[] = []
  for (let at = 0, i = 0; at < total; i++) {
    const end = Math.min(total, at + job.cuts[i % job.cuts.length]!)
    const copied = Math.max(0, at - job.backs[i % job.backs.length]!)
    if (copied < at) log.push(resultOf(job, partition, [copied, at], ' copy'))
    log.push(resultOf(job, partition, [at, end]))
    at = end
  }
  return log
}

/** Reads until `most` results were offered. Returns the output rows. */
function read(job: AnyJob, reassembler: Reassembler, { next, most }: { next: number[]; most: number }): string[] {
  const logs = next.map((_, partition) => logOf(job, partition))
  const out: string[] = []
  for (let offered = 0; offered < most; offered++) {
    const partition = reassembler.wanted
    if (partition === null) break
    const offset = next[partition]!++
    const at = { topic: 'results', partition, offset }
    const result = logs[partition]![offset]
    const rows = rowsInPartition(partition, job.outputs.length, job)
    if (result) reassembler.offer(at, result)
    else reassembler.end(at, { job: 'j', epoch: 0, from: 0, attempt: 0, partition, rows, total: job.outputs.length })
    for (let slices = reassembler.take(); slices.length > 0; slices = reassembler.take())
      out.push(...slices.flatMap(rowsOf).flat())
  }
  return out
}

test('every position comes out with its own output rows, also after a checkpoint, and they are counted', () => {
  fc.assert(
    fc.property(anyJob, fc.nat(40), (job, most) => {
      const zeros = Array.from({ length: job.partitions }, () => 0)
      const first = new Reassembler('j', job, { ...START, offsets: zeros })
      const out = read(job, first, { next: [...zeros], most })
      const checkpoint = JSON.parse(JSON.stringify(first.checkpoint)) as SequenceCheckpoint
      const second = new Reassembler('j', job, checkpoint)
      out.push(...read(job, second, { next: [...checkpoint.offsets], most: 1000 }))
      assert.ok(second.complete)
      const expected = job.outputs.flatMap((count, seq) => outputOf(seq, count)).flat()
      assert.deepEqual(out, expected)
      const { rows, rejects, rowsOut = rows } = second.counts
      const rejected = job.outputs.filter(count => count === -1).length
      assert.deepEqual([rows, rejects, rowsOut], [job.outputs.length - rejected, rejected, expected.length])
    }),
    { numRuns: 400 },
  )
})

test('a later attempt gives output rows to rejected positions, between those of the first one', () => {
  fc.assert(
    fc.property(anyJob, fc.integer({ min: 0, max: 3 }), (given, later) => {
      const job = { ...given, partitions: 1 }
      const total = job.outputs.length
      const end = { job: 'j', epoch: 0, from: 0, attempt: 1, partition: 0, rows: total, total }
      const first = logOf({ ...job, backs: [0] }, 0).map((value, offset) => ({
        kind: 'result' as const,
        offset,
        value,
      }))
      const repaired = { ...job, outputs: job.outputs.map(count => (count === -1 ? later : count)) }
      const second: AttemptMessage[] = job.outputs.flatMap((count, seq) =>
        count === -1
          ? [{ kind: 'result' as const, offset: 1000 + seq, value: resultOf(repaired, 0, [seq, seq + 1]) }]
          : [],
      )
      second.push({ kind: 'end', offset: 5000, value: end })
      const logs = [first, second].map(messages => ({ next: () => messages.shift(), read: Number.POSITIVE_INFINITY }))
      const merged = new MergedAttempts(logs, 0)
      const out: string[] = []
      for (let message = merged.next(); message?.kind === 'result'; message = merged.next()) {
        const { count, outputs, rejected, rows } = message.value
        assert.equal(outputs?.length ?? count, count)
        assert.equal(rejected.length, 0)
        out.push(...rows.flat())
      }
      assert.deepEqual(out, repaired.outputs.flatMap((count, seq) => outputOf(seq, count)).flat())
    }),
    { numRuns: 400 },
  )
})
