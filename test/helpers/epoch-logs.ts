/** What publishers of events that take a job over from each other leave in the topics, and the expected outcome. */
import fc from 'fast-check'
import { type Layout, placeOf, rowsInPartition } from '../../src/core/sequence.ts'
import type { EndOfInput, Result } from '../../src/model.ts'

/** One publisher of the job: how many more rows it sends, and whether it ends the job after them. */
interface Life {
  readonly rows: number
  readonly ends: boolean
  /** How many messages in flight arrive before the next publisher comes. */
  readonly arrive: number
}

export interface AnyStream extends Layout {
  readonly lives: readonly Life[]
  readonly last: number
  readonly dice: readonly number[]
}

export const anyStream: fc.Arbitrary<AnyStream> = fc.record({
  partitions: fc.integer({ min: 1, max: 5 }),
  blockRows: fc.integer({ min: 1, max: 3 }),
  lives: fc.array(fc.record({ rows: fc.nat(25), ends: fc.boolean(), arrive: fc.nat(60) }), { maxLength: 5 }),
  last: fc.nat(25),
  dice: fc.array(fc.nat(1000), { minLength: 1, maxLength: 80 }),
})

type Sent =
  | { readonly kind: 'barrier'; readonly epoch: number }
  | { readonly kind: 'row'; readonly epoch: number; readonly from: number; readonly seq: number }
  | { readonly kind: 'end'; readonly epoch: number; readonly from: number; readonly total: number }

export type Left =
  | { readonly kind: 'barrier'; readonly value: { readonly epoch: number } }
  | { readonly kind: 'result'; readonly value: Result }
  | { readonly kind: 'end'; readonly value: EndOfInput }

export interface Stream {
  /** What workers left in each partition of `results`. */
  readonly logs: readonly (readonly Left[])[]
  /** The rows that count, in order; null: rejected. */
  readonly expected: readonly (string | null)[]
  readonly epochs: number
}

export class Dice {
  readonly #dice: readonly number[]
  #at = 0

  constructor(dice: readonly number[]) {
    this.#dice = dice
  }

  /** A number below `sides`. */
  throw(sides: number): number {
    const round = Math.floor(this.#at / this.#dice.length)
    return (this.#dice[this.#at++ % this.#dice.length]! * (round + 1) + round) % sides
  }
}

/**
 * Publishers come, one after the other, while messages of earlier ones still arrive, in order within each partition.
 */
export function streamOf(stream: AnyStream): Stream {
  const dice = new Dice(stream.dice)
  const topic: Sent[][] = Array.from({ length: stream.partitions }, () => [])
  const lines: { into: Sent[]; sent: Sent[] }[] = []
  const arrive = (): boolean => {
    const open = lines.filter(({ sent }) => sent.length > 0)
    if (open.length === 0) return false
    const { into, sent } = open[dice.throw(open.length)]!
    into.push(sent.shift()!)
    return true
  }
  const froms: number[] = []
  let total = 0
  ;[...stream.lives, { rows: stream.last, ends: true, arrive: Number.POSITIVE_INFINITY }].forEach((life, i) => {
    const epoch = i + 1
    const own = topic.map((into): { into: Sent[]; sent: Sent[] } => ({ into, sent: [{ kind: 'barrier', epoch }] }))
    lines.push(...own)
    while (own.some(({ sent }) => sent.length > 0)) arrive()
    const from = lowestNotFound(topic, epoch)
    froms.push(from)
    total = from + life.rows
    for (let seq = from; seq < total; seq++)
      own[placeOf(seq, stream).partition]!.sent.push({ kind: 'row', epoch, from, seq })
    if (life.ends) for (const { sent } of own) sent.push({ kind: 'end', epoch, from, total })
    for (let left = life.arrive; left > 0 && arrive(); left--);
  })
  const ownerOf = (seq: number) => froms.findLastIndex(from => from <= seq) + 1
  const expected = Array.from({ length: total }, (_, seq) => cellOf(seq, ownerOf(seq)))
  return { logs: topic.map((log, at) => work(log, at, { stream, dice })), expected, epochs: froms.length }
}

/** What a publisher finds when it reads up to its barriers. */
function lowestNotFound(topic: readonly (readonly Sent[])[], epoch: number): number {
  const rows = topic.flatMap(log => {
    let highest = 0
    const before = log.slice(
      0,
      log.findIndex(sent => sent.kind === 'barrier' && sent.epoch === epoch),
    )
    return before.filter(sent => {
      highest = Math.max(highest, sent.epoch)
      return sent.kind === 'row' && sent.epoch === highest
    })
  }) as Extract<Sent, { kind: 'row' }>[]
  const counts = (row: (typeof rows)[0]) => !rows.some(later => later.epoch > row.epoch && later.from <= row.seq)
  const found = new Set(rows.filter(counts).map(({ seq }) => seq))
  let lowest = 0
  while (found.has(lowest)) lowest++
  return lowest
}

function cellOf(seq: number, epoch: number): string | null {
  return (seq * 7 + epoch) % 9 === 0 ? null : `row ${seq} of ${epoch}`
}

/** Workers drop rows of older epochs after a later one, repeat some rows, and cut the rest into results. */
function work(log: readonly Sent[], partition: number, { stream, dice }: { stream: AnyStream; dice: Dice }): Left[] {
  let highest = 0
  const counted = log.filter(sent => {
    highest = Math.max(highest, sent.epoch)
    return sent.epoch === highest
  })
  const done: Sent[] = []
  counted.forEach((sent, at) => {
    done.push(sent)
    const again = dice.throw(12)
    if (again === 0) done.push(...counted.slice(dice.throw(at + 1), at + 1)) // a worker that follows a dead one
    if (again === 1) done.push(counted[dice.throw(at + 1)]!) // one that was declared dead
  })
  return cut(done, partition, { stream, dice })
}

function cut(done: readonly Sent[], partition: number, { stream, dice }: { stream: AnyStream; dice: Dice }): Left[] {
  const left: Left[] = []
  for (let at = 0; at < done.length; ) {
    const sent = done[at]!
    if (sent.kind === 'row') {
      const run = runFrom(done, at, { stream, most: 1 + dice.throw(5) })
      left.push({ kind: 'result', value: resultOf(run, stream) })
      at += run.length
      continue
    }
    at++
    if (sent.kind === 'barrier') left.push({ kind: 'barrier', value: { epoch: sent.epoch } })
    else {
      const { epoch, from, total } = sent
      const rows = rowsInPartition(partition, total, stream)
      left.push({ kind: 'end', value: { job: 'j', epoch, from, attempt: 0, partition, rows, total } })
    }
  }
  return left
}

/** One for all results: typed arrays are slow to make. */
const CLASSIFIER = new Uint8Array(8)

type SentRow = Extract<Sent, { kind: 'row' }>

/** Rows of one epoch at consecutive positions. */
function runFrom(done: readonly Sent[], at: number, { stream, most }: { stream: AnyStream; most: number }): SentRow[] {
  const first = done[at] as SentRow
  const { position } = placeOf(first.seq, stream)
  const run: SentRow[] = []
  for (let next = done[at]; run.length < most && next?.kind === 'row'; next = done[at + run.length]) {
    if (next.epoch !== first.epoch || placeOf(next.seq, stream).position !== position + run.length) break
    run.push(next)
  }
  return run
}

function resultOf(run: readonly SentRow[], layout: Layout): Result {
  const { epoch, from, seq } = run[0]!
  const cells = run.map(({ seq }) => cellOf(seq, epoch))
  const rejected = cells.flatMap((cell, index) =>
    cell === null ? [{ index, seq: run[index]!.seq, line: null, reason: 'NO', detail: '', values: [] }] : [],
  )
  const stamp = { offset: 0, classifier: CLASSIFIER, by: 'w', columns: ['c'], kinds: ['text'] }
  const { position: first } = placeOf(seq, layout)
  const rows = cells.flatMap(cell => (cell === null ? [] : [[cell]]))
  return { job: 'j', epoch, from, attempt: 0, first, count: run.length, ...stamp, rejected, outputs: null, rows }
}
