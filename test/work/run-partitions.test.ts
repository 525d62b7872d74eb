import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunPartitions, type Share } from '../../src/work/run-partitions.ts'

/** Partitions of a run, and what each worker was told last. */
function dealing(count: number) {
  const told = new Map<string, Share>()
  const partitions = new RunPartitions(count, (worker, share) => told.set(worker, share))
  const release = (worker: string) => partitions.released(worker, told.get(worker)!.turn)
  const shares = () => Object.fromEntries([...told].map(([worker, share]) => [worker, share.partitions]))
  return { partitions, told, release, shares }
}

test('a partition goes to the next worker only when the last one has released it', () => {
  const { partitions, release, shares } = dealing(4)
  partitions.came('a')
  assert.deepEqual(shares(), { a: [0, 1, 2, 3] })
  release('a')
  partitions.came('b')
  assert.deepEqual(shares(), { a: [0, 2], b: [] })
  release('b')
  assert.deepEqual(shares(), { a: [0, 2], b: [] }, 'b has nothing to release')
  release('a')
  assert.deepEqual(shares(), { a: [0, 2], b: [1, 3] })
})

test('an answer to an earlier share releases nothing', () => {
  const { partitions, told, release, shares } = dealing(4)
  partitions.came('a')
  const early = told.get('a')!.turn
  partitions.came('b')
  partitions.released('a', early)
  assert.deepEqual(shares()['b'], [])
  release('a')
  assert.deepEqual(shares()['b'], [1, 3])
})

test('the partitions of a worker that ended move at once, and come back with it', () => {
  const { partitions, release, shares } = dealing(6)
  for (const worker of ['a', 'b', 'c']) partitions.came(worker)
  for (let i = 0; i < 3; i++) for (const worker of ['a', 'b', 'c']) release(worker)
  assert.deepEqual(shares(), { a: [0, 3], b: [1, 4], c: [2, 5] })
  partitions.gone('b')
  assert.deepEqual(
    [shares()['a'], shares()['c']],
    [
      [4, 0, 3],
      [1, 2, 5],
    ],
  )
  for (const worker of ['a', 'c']) release(worker)
  partitions.came('b')
  assert.deepEqual(shares(), { a: [0, 3], b: [], c: [2, 5] })
  release('a')
  assert.deepEqual(shares()['b'], [4], 'c still holds 1')
  release('c')
  assert.deepEqual(shares(), { a: [0, 3], b: [1, 4], c: [2, 5] })
})

test('a worker that ended before it released anything holds nothing', () => {
  const { partitions, shares } = dealing(4)
  partitions.came('a')
  partitions.came('b')
  assert.deepEqual(shares()['b'], [])
  partitions.gone('a')
  assert.deepEqual(shares()['b'], [0, 2, 1, 3])
  partitions.gone('b')
  partitions.came('a')
  assert.deepEqual(shares()['a'], [0, 1, 2, 3], 'nobody else is there')
})

test('a worker whose share does not change hears nothing', () => {
  const { partitions, told, release } = dealing(2)
  partitions.came('a')
  release('a')
  partitions.came('b')
  release('a')
  release('b')
  const before = told.get('a')
  partitions.came('c') // there is no partition for it
  partitions.came('a') // it is there
  assert.equal(told.get('a'), before)
  assert.deepEqual(told.get('c')!.partitions, [])
})
