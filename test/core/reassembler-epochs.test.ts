import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Reassembler } from '../../src/core/reassembler.ts'
import { isReject, outcomesOf } from '../../src/core/result-slice.ts'
import type { SequenceCheckpoint } from '../../src/core/row-order.ts'
import { type AnyStream, anyStream, Dice, type Left, type Stream, streamOf } from '../helpers/epoch-logs.ts'

const START = { seq: 0, counts: { rows: 0, rejects: 0, duplicates: 0 } }

/** Reads a stream, and compares everything handed out with what is expected. */
class Reader {
  reassembler: Reassembler
  readonly out: (string | null)[] = []
  read = 0
  readonly #job: AnyStream
  readonly #stream: Stream
  #cursors: number[]

  constructor(job: AnyStream, stream: Stream) {
    this.#job = job
    this.#stream = stream
    this.#cursors = stream.logs.map(() => 0)
    this.reassembler = new Reassembler('j', job, { ...START, offsets: [...this.#cursors] })
  }

  /** Partitions with something left to read. */
  get open(): number[] {
    return this.#stream.logs.flatMap((log, partition) => (this.#cursors[partition]! < log.length ? [partition] : []))
  }

  step(partition: number): void {
    const offset = this.#cursors[partition]!++
    const left = this.#stream.logs[partition]![offset]
    assert.ok(left, `partition ${partition} has no more to give`)
    this.#offer({ topic: 'results', partition, offset }, left)
    for (const outcome of this.reassembler.take().flatMap(slice => outcomesOf(slice))) {
      const cell = isReject(outcome) ? null : outcome[0]![0]!
      assert.equal(cell, this.#stream.expected[this.out.length], `row ${this.out.length}`)
      this.out.push(cell)
    }
    assert.equal(this.reassembler.checkpoint.seq, this.out.length)
  }

  /** As a reader that was killed and restarted at a checkpoint. */
  restart(checkpoint: SequenceCheckpoint = this.reassembler.checkpoint): void {
    const kept: SequenceCheckpoint = JSON.parse(JSON.stringify(checkpoint))
    this.out.length = kept.seq
    this.#cursors = [...kept.offsets]
    this.reassembler = new Reassembler('j', this.#job, kept)
  }

  checkAll(): void {
    assert.deepEqual(this.out, this.#stream.expected)
    assert.equal(this.reassembler.complete, true)
    assert.equal(this.reassembler.endedEpoch, this.#stream.epochs)
    const { rows, rejects } = this.reassembler.counts
    assert.deepEqual([rows + rejects, rejects], [this.out.length, this.out.filter(row => row === null).length])
  }

  #offer(place: { topic: string; partition: number; offset: number }, left: Left): void {
    if (left.kind === 'barrier') this.reassembler.barrier(place, left.value)
    else if (left.kind === 'end') this.reassembler.end(place, left.value)
    else {
      this.read += left.value.count
      this.reassembler.offer(place, left.value)
    }
  }
}

test('in any interleaving, the copy of each row that the epochs keep comes out once and in order', () => {
  fc.assert(
    fc.property(anyStream, fc.array(fc.nat(1000), { minLength: 1 }), (job, thrown) => {
      const reader = new Reader(job, streamOf(job))
      const dice = new Dice(thrown)
      for (let { open } = reader; open.length > 0; open = reader.open) reader.step(open[dice.throw(open.length)]!)
      reader.checkAll()
      const { rows, rejects, duplicates } = reader.reassembler.counts
      assert.equal(rows + rejects + duplicates, reader.read, 'rows that are not handed out are counted as dropped')
    }),
    { numRuns: 2000 },
  )
})

test('reading only what is wanted never stalls; output resumes where another publisher resumed', () => {
  fc.assert(
    fc.property(anyStream, job => {
      const reader = new Reader(job, streamOf(job))
      for (let { open } = reader; open.length > 0; open = reader.open) {
        const { wanted, complete } = reader.reassembler
        assert.equal(wanted === null, complete)
        reader.step(wanted ?? open[0]!)
      }
      reader.checkAll()
    }),
    { numRuns: 2000 },
  )
})

test('from any checkpoint another reader hands out exactly the rest, however often it restarts', () => {
  fc.assert(
    fc.property(anyStream, fc.array(fc.nat(1000), { minLength: 1 }), fc.boolean(), (job, thrown, onlyWanted) => {
      const reader = new Reader(job, streamOf(job))
      const dice = new Dice(thrown)
      let kept = reader.reassembler.checkpoint
      for (let steps = 0; reader.open.length > 0 && steps < 3000; steps++) {
        const { open } = reader
        const { wanted } = reader.reassembler
        reader.step(onlyWanted && wanted !== null ? wanted : open[dice.throw(open.length)]!)
        if (dice.throw(3) === 0) kept = reader.reassembler.checkpoint
        if (steps < 1000 && dice.throw(10) === 0) reader.restart(kept)
      }
      reader.checkAll()
    }),
    { numRuns: 2000 },
  )
})

test('a checkpoint omits epochs that every partition has reached', () => {
  fc.assert(
    fc.property(anyStream, job => {
      const reader = new Reader(job, streamOf(job))
      for (let { open } = reader; open.length > 0; open = reader.open) reader.step(open[0]!)
      assert.deepEqual(reader.reassembler.checkpoint.starts, [])
    }),
  )
})

test('a checkpoint of a version without epochs can be resumed', () => {
  const job: AnyStream = { partitions: 2, blockRows: 1, lives: [], last: 9, dice: [0] }
  const reader = new Reader(job, streamOf(job))
  const { seq, counts, offsets } = reader.reassembler.checkpoint
  reader.restart({ seq, counts, offsets })
  for (let { open } = reader; open.length > 0; open = reader.open) reader.step(open[0]!)
  reader.checkAll()
})
