import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionOffset } from '../../src/kafka/index.ts'
import { PartitionBook } from '../../src/watch/partition-book.ts'

const NOW = 1_000_000
const COUNT = 5
const keys = Array.from({ length: COUNT }, (_, partition) => `p.rows/${partition}`)

/** A broker with batches so large that each fetch tells the timestamp of its first partition: the offset, in ms. */
function largeBatches() {
  const fetches: PartitionOffset[][] = []
  const timestampsAt = async (offsets: readonly PartitionOffset[]) => {
    fetches.push([...offsets])
    return offsets.map(({ offset }, i) => (i === 0 ? offset : undefined))
  }
  return { fetches, timestampsAt }
}

const rows = (committed: number, end: number) =>
  Array.from({ length: COUNT }, (_, partition) => ({ topic: 'p.rows', partition, offset: end, committed }))

test('each partition has the age of its oldest row after one look, however large the batches are', async () => {
  const book = new PartitionBook()
  const { fetches, timestampsAt } = largeBatches()
  await book.note(rows(10, 100), NOW, timestampsAt)
  assert.equal(fetches.length, COUNT)
  assert.deepEqual(
    keys.map(key => book.facts.get(key)!.oldestAt),
    [10, 10, 10, 10, 10],
  )
})

test('a later look costs one fetch, and the partitions tell in turns, none of them without an age', async () => {
  const book = new PartitionBook()
  const { fetches, timestampsAt } = largeBatches()
  await book.note(rows(10, 100), NOW, timestampsAt)
  fetches.length = 0
  for (let look = 1; look <= COUNT; look++) {
    await book.note(rows(10 + look, 100), NOW + look * 1000, timestampsAt)
    assert.equal(fetches.length, look)
    for (const key of keys) assert.ok(book.facts.get(key)!.oldestAt !== null)
  }
  assert.deepEqual(fetches.map(([first]) => first!.partition).sort(), [0, 1, 2, 3, 4])
})

test('a row that comes where none waited has come since the look before', async () => {
  const book = new PartitionBook()
  const none = async (offsets: readonly PartitionOffset[]) => offsets.map(() => undefined)
  await book.note(rows(10, 10), NOW, none)
  assert.deepEqual(
    keys.map(key => book.facts.get(key)!.oldestAt),
    [null, null, null, null, null],
  )
  await book.note(rows(10, 11), NOW + 1000, none)
  assert.deepEqual(
    keys.map(key => book.facts.get(key)!.oldestAt),
    [NOW, NOW, NOW, NOW, NOW],
  )
})

test('a broker that tells nothing is not asked again in the same look', async () => {
  const book = new PartitionBook()
  let fetches = 0
  await book.note(rows(0, 10), NOW, async offsets => {
    fetches++
    return offsets.map(() => undefined)
  })
  assert.equal(fetches, 1)
  assert.equal(book.facts.get(keys[0]!)!.oldestAt, null)
})
