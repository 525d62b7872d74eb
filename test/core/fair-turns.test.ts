import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairTurns } from '../../src/core/fair-turns.ts'

interface Queue {
  readonly name: string
  readonly bulk: boolean
  waiting: number
}

const rows = (name: string, waiting: number): Queue => ({ name, bulk: false, waiting })
const bulk = (name: string, waiting: number): Queue => ({ name, bulk: true, waiting })

/** The next partition, `times` times; each turn takes one row. */
function take(turns: FairTurns<Queue>, all: readonly Queue[], times: number): string {
  const names = Array.from({ length: times }, () => {
    const next = turns.next(all)
    if (next) next.waiting--
    return next?.name ?? '-'
  })
  return names.join('')
}

test('partitions with rows take turns, whichever come and go', () => {
  const turns = new FairTurns<Queue>()
  const [a, b, c] = [rows('a', 9), rows('b', 2), rows('c', 9)] as const
  assert.equal(take(turns, [a, b, c], 4), 'abca')
  assert.equal(take(turns, [b, c, a], 5), 'bcaca')
  b.waiting = 1
  assert.equal(take(turns, [a, b, c], 2), 'bc', 'the one that had nothing for longest is first')
  assert.equal(turns.next([rows('d', 0)]), undefined)
  assert.equal(turns.next([]), undefined)
})

test('rows of small jobs go before those of large ones, in any partition', () => {
  const turns = new FairTurns<Queue>()
  const all = [bulk('X', 99), rows('a', 2), bulk('Y', 99), rows('b', 1)]
  assert.equal(take(turns, all, 7), 'abaXYXY')
  all[3]!.waiting = 1
  assert.equal(take(turns, all, 3), 'bXY')
})

test('while small jobs never end, one batch in ten is of a large job, in turn', () => {
  const turns = new FairTurns<Queue>()
  const all = [rows('a', 99), bulk('X', 99), rows('b', 99), bulk('Y', 1), bulk('Z', 99)]
  assert.equal(take(turns, all, 40), 'ababababaXbabababab' + 'Yababababa' + 'Zbabababab' + 'X')
})

test('earlier turns of small jobs count only while rows of a large job wait', () => {
  const turns = new FairTurns<Queue>()
  const [a, X] = [rows('a', 99), bulk('X', 0)]
  assert.equal(take(turns, [a, X], 20), 'a'.repeat(20))
  X.waiting = 9
  assert.equal(take(turns, [a, X], 11), 'aaaaaaaaaXa')
  assert.equal(take(turns, [X], 1), 'X')
  assert.equal(take(turns, [a, X], 10), 'aaaaaaaaaX')
})
