import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandOuts } from '../../src/work/hand-outs.ts'

const LARGE = 1024 * 1024

/** A worker that is handed a partition at `offset`, reads these messages, and ends during the last one. */
function dieReading(offset: number, metadata: string | null, offsets: readonly number[], bytes: number): string {
  const handOuts = new HandOuts(offset, metadata)
  let committed = handOuts.metadata(offset, { released: false })
  for (const at of offsets) {
    if (!handOuts.needsCommit(bytes)) continue
    handOuts.begin(at)
    committed = handOuts.metadata(offset, { released: false })
    if (at === offsets.at(-1)) break
    handOuts.end(at)
    committed = handOuts.metadata(offset, { released: false })
  }
  return committed
}

test('a large message that ended two workers is suspect to the third', () => {
  const once = dieReading(10, null, [10, 11, 12], LARGE)
  assert.equal(new HandOuts(10, once).isSuspect(12), false)
  const twice = dieReading(10, once, [10, 11, 12], LARGE)
  const third = new HandOuts(10, twice)
  assert.deepEqual([third.isSuspect(10), third.isSuspect(11), third.isSuspect(12)], [false, false, true])
})

test('a small message is committed from the second time on, and suspect the fourth time', () => {
  const once = dieReading(10, null, [10, 11], 100)
  const twice = dieReading(10, once, [10, 11], 100)
  assert.equal(new HandOuts(10, twice).isSuspect(11), false)
  const thrice = dieReading(10, twice, [10, 11], 100)
  const fourth = new HandOuts(10, thrice)
  assert.deepEqual([fourth.isSuspect(10), fourth.isSuspect(11)], [false, true])
})

test('workers that end during other messages cost none of them', () => {
  let committed: string | null = null
  for (const at of [10, 11, 12, 13, 14, 15]) committed = dieReading(10, committed, [at], LARGE)
  const next = new HandOuts(10, committed)
  for (let at = 10; at < 20; at++) assert.equal(next.isSuspect(at), false)
})

test('what is known of a message survives the commit of earlier messages, and ends with its own commit', () => {
  const once = dieReading(10, null, [10, 15], LARGE)
  const progress = new HandOuts(10, once).metadata(15, { released: false })
  assert.deepEqual(JSON.parse(progress), { handed: 0, reads: { 15: 1 } })
  assert.equal(new HandOuts(15, progress).metadata(16, { released: false }), '')
})

test('a partition returned in good health counts for nothing', () => {
  const released = new HandOuts(10, null).metadata(10, { released: true })
  assert.equal(released, '')
  assert.equal(new HandOuts(10, released).needsCommit(100), false)
  const lost = new HandOuts(10, null).metadata(10, { released: false })
  assert.equal(new HandOuts(10, lost).needsCommit(100), true)
})

test('a partition that is returned while a large message is read blames nobody', () => {
  let committed: string | null = null
  for (let owner = 0; owner < 3; owner++) {
    const handOuts = new HandOuts(10, committed)
    assert.equal(handOuts.isSuspect(12), false)
    handOuts.begin(12)
    committed = handOuts.metadata(10, { released: true })
  }
  assert.equal(committed, '')
})

test('metadata of another program is ignored, and of many messages only some are kept', () => {
  for (const metadata of ['', 'consumer-7', '{"handed":-1,"reads":{"x":2,"4":"y"}}', '[]', 'null', '{"reads":7}']) {
    const handOuts = new HandOuts(0, metadata)
    assert.deepEqual([handOuts.needsCommit(1), handOuts.isSuspect(4)], [false, false])
  }
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [at, 1]))
  const kept = new HandOuts(0, JSON.stringify({ handed: 3, reads: many })).metadata(0, { released: false })
  assert.deepEqual(Object.keys(JSON.parse(kept).reads), [...Array(16).keys()].map(String))
})

test('a flood after a lost worker is not read with notes, and a message far into it that ends workers is still found', () => {
  let committed: string | null = dieReading(0, null, [], 100)
  const noted: number[] = []
  for (let owner = 0; owner < 5; owner++) {
    const handOuts = new HandOuts(0, committed)
    let at = 0
    for (; at < 3000 && handOuts.needsCommit(100); at++) {
      handOuts.begin(at)
      if (at < 2999) handOuts.end(at)
    }
    noted.push(at)
    committed = handOuts.metadata(0, { released: false })
  }
  assert.deepEqual(noted, [500, 2000, 3000, 3000, 3000])
  assert.ok(new HandOuts(0, committed).isSuspect(2999))
})
