import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CountingRows } from '../../src/core/counting-rows.ts'
import type { TakeoverPoint } from '../../src/core/job-epochs.ts'
import { partitionOf } from '../../src/core/sequence.ts'
import type { Rows } from '../../src/model.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { checkRows, countRows, type SafeRow } from '../helpers/counted-rows.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const BEGINNING = { epoch: 0, from: 0, closed: false }

interface Sending {
  readonly epoch: number
  /** Null until it is known. */
  from: number | null
  /** The rows that are not in the log yet, by partition, in order. */
  readonly queues: Rows[][]
  next: number
  readonly barriers: Set<number>
}

/** Producers of one job over logs in memory. In each step one message of any producer reaches a log. */
class Simulation {
  readonly logs: WireRecord[][]
  readonly #job: ReturnType<typeof jobRecord>
  readonly #producers: Sending[] = []
  readonly points: TakeoverPoint[]
  readonly safe: SafeRow[] = []
  #ends: TakeoverPoint | null = null

  constructor(partitions: number) {
    this.#job = jobRecord({ partitions, rowsFrom: Array(partitions).fill(0), resultsFrom: Array(partitions).fill(0) })
    this.logs = Array.from({ length: partitions }, () => [])
    this.points = [{ ...BEGINNING, rowsFrom: this.#job.rowsFrom }]
    this.begin()
    this.newest.from = 0
  }

  get newest(): Sending {
    return this.#producers.at(-1)!
  }

  /** One more producer announces itself. From now on no earlier producer resolves a row as safe. */
  begin(): void {
    const queues = this.logs.map(() => [] as Rows[])
    this.#producers.push({ epoch: this.#producers.length, from: null, queues, next: 0, barriers: new Set() })
  }

  /** The newest producer puts a barrier into the partition. After the last barrier it finds out where it resumes. */
  barrier(partition: number): void {
    const { newest } = this
    if (newest.from !== null || newest.barriers.has(partition)) return
    newest.barriers.add(partition)
    this.#append(partition, this.#rows(newest.epoch, 0, null))
    if (newest.barriers.size < this.logs.length) return
    const found = this.points.map(point => this.#next(point))
    const { rows } = countRows(this.logs, 'j')
    for (const next of found) assert.equal(next, found[0], 'every takeover point leads to the same row')
    for (let seq = 0; seq < found[0]!; seq++) assert.ok(rows.has(seq), `row ${seq} is missing below ${found[0]}`)
    assert.ok(!rows.has(found[0]!), 'it is the lowest')
    newest.from = found[0]!
    newest.next = newest.from
  }

  /** A producer, the newest one or one this many epochs older, sends its next row. */
  send(age: number): void {
    const producer = this.#producers.at(-1 - age)
    if (!producer || producer.from === null) return
    const seq = producer.next++
    producer.queues[partitionOf(seq, this.#job)]!.push(this.#rows(producer.epoch, producer.from, seq))
  }

  /** The next row of a producer reaches the log of the partition. Rows of the newest producer may now be safe. */
  arrive(age: number, partition: number): void {
    const producer = this.#producers.at(-1 - age)
    if (!producer) return
    const rows = producer.queues[partition]!.shift()
    if (rows) this.#append(partition, rows)
    if (producer !== this.newest || producer.from === null) return
    const missing = producer.queues.flat().reduce((min, { seq }) => Math.min(min, seq!), producer.next)
    for (let seq = producer.from; seq < missing; seq++) {
      if (this.safe.some(row => row.seq === seq)) continue
      this.safe.push({ producer: `${producer.epoch}`, seq, values: [`${producer.epoch}/${seq}`] })
    }
  }

  /** The newest producer asks for the ends of the logs, to say later that its rows from now on are after them. */
  beginPoint(): void {
    const { epoch, from, next } = this.newest
    if (from === null) return
    this.#ends = { epoch, from: next, rowsFrom: this.logs.map(({ length }) => length), closed: false }
  }

  /** It writes the takeover point, once all rows below are there. */
  point(): void {
    const { epoch, queues } = this.newest
    const point = this.#ends
    if (point?.epoch !== epoch || queues.flat().some(({ seq }) => seq! < point.from)) return
    this.points.push(point)
    this.#ends = null
  }

  #next(point: TakeoverPoint): number {
    const found = new CountingRows(this.#job, point)
    this.logs.forEach((records, partition) => {
      for (const { kind, value } of records.slice(point.rowsFrom[partition]))
        if (kind === 'rows' && found.epochOf(partition) < this.newest.epoch) found.takeRows(partition, value)
    })
    return found.next
  }

  #rows(epoch: number, from: number, seq: number | null): Rows {
    const rows = seq === null ? [] : [[`${epoch}/${seq}`]]
    return { job: 'j', epoch, from, seq, count: rows.length, line: null, lineSteps: null, rows }
  }

  #append(partition: number, value: Rows): void {
    this.logs[partition]!.push({ kind: 'rows', value })
  }
}

test('whenever producers are late or take over, no safe row is lost, and takeover points agree', () => {
  const whats = ['send', 'arrive', 'barrier', 'begin', 'beginPoint', 'point'] as const
  const weights = { send: 8, arrive: 8, barrier: 5, begin: 1, beginPoint: 1, point: 1 }
  const many = whats.flatMap(what => Array.from({ length: weights[what] }, () => what))
  // Most steps are of the newest producer.
  const step = fc.record({ what: fc.constantFrom(...many), age: fc.constantFrom(0, 0, 0, 1, 2), at: fc.nat(9) })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { minLength: 50, maxLength: 250 }),
      (partitions, steps) => {
        const simulation = new Simulation(partitions)
        for (const { what, age, at } of steps) {
          if (what === 'send') simulation.send(age)
          else if (what === 'arrive') simulation.arrive(age, at % partitions)
          else if (what === 'barrier') simulation.barrier(at % partitions)
          else simulation[what]()
        }
        simulation.begin()
        for (let partition = 0; partition < partitions; partition++) simulation.barrier(partition)
        const below = new Map(
          [...countRows(simulation.logs, 'j').rows].filter(([seq]) => seq < simulation.newest.from!),
        )
        checkRows({ rows: below, ends: [], epoch: 0 }, simulation.safe)
      },
    ),
    { numRuns: 2000 },
  )
})
