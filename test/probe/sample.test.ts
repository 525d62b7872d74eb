import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Source, SourceRows } from '../../src/connector.ts'
import { APART, CUTS, WHOLE } from '../../src/probe/cuts.ts'
import { fewerOf, plannedRows } from '../../src/probe/sample.ts'
import { SampledSource } from '../../src/probe/sampled-source.ts'

test('each cut has every row once, in order, and rows keep their order within a batch', () => {
  for (const cut of [WHOLE, ...CUTS]) {
    for (const count of [1, 2, 3, 7, 20, 60, 301]) {
      const batches = cut.batches(Array.from({ length: count }, (_, at) => [`${at}`]))
      assert.deepEqual(
        batches.flat(),
        Array.from({ length: count }, (_, at) => at),
        cut.name,
      )
      assert.ok(batches.every(batch => batch.length > 0))
    }
  }
})

test('the cut of a job has every row once. The second half comes first, and rows that look unlike the others come alone', () => {
  for (const count of [1, 2, 3, 7, 20, 60, 301]) {
    const batches = APART.batches(Array.from({ length: count }, (_, at) => [`${at}`]))
    const places = batches.flat().sort((a, b) => a - b)
    assert.deepEqual(
      places,
      Array.from({ length: count }, (_, at) => at),
    )
    assert.ok(batches.every(batch => batch.length > 0))
    if (count >= 20) assert.ok(Math.min(...batches[0]!) >= count / 2 && batches[0]!.length > 1)
  }
  const rows = Array.from({ length: 100 }, (_, at) => [
    `${at}`,
    at === 37 ? '31/12/2024' : '01/12/2024',
    at === 71 ? '' : 'x',
    `mail ${at === 90 ? 80 : at === 10 ? 5 : at}`,
  ])
  assert.ok(APART.batches(rows).some(batch => batch.join() === '10,90' || batch.join() === '90'))
  const alone = APART.batches(rows).flatMap(batch => (batch.length === 1 ? batch : []))
  assert.ok(alone.includes(37) && alone.includes(71))
  assert.equal(alone.length, 20)
})

test('a slow function gets fewer rows, from all parts of the sample', () => {
  const seqs = Array.from({ length: 60 }, (_, at) => at * 10)
  const sample = { seqs, rows: seqs.map(seq => [`${seq}`]), lines: seqs.map(seq => seq + 2) }
  const fewer = fewerOf(sample, 1000)
  assert.equal(fewer.rows.length, 20)
  assert.deepEqual([fewer.seqs[0], fewer.seqs[19], fewer.rows[19], fewer.lines[19]], [0, 570, ['570'], 572])
  assert.deepEqual(fewerOf(sample, 100_000), sample)
})

test('half of the rows are the first ones, the others are from the middle and the end', () => {
  assert.deepEqual(plannedRows({ most: 300 }, 1_000_000), [
    { from: 0, to: 150 },
    { from: 500_000, to: 500_075 },
    { from: 999_925, to: 1_000_000 },
  ])
  assert.deepEqual(plannedRows({ most: 300 }, 60), [{ from: 0, to: 60 }])
  assert.deepEqual(plannedRows({ most: 300 }, null), [{ from: 0, to: 300 }])
  assert.deepEqual(plannedRows({ most: 1 }, 50), [
    { from: 0, to: 1 },
    { from: 25, to: 25 },
    { from: 50, to: 50 },
  ])
})

test('of a small job fewer rows are tried, but all that were asked for if it is not shared with a job', () => {
  const count = (size: { most: number; share?: boolean }, total: number) =>
    plannedRows(size, total).reduce((sum, { from, to }) => sum + to - from, 0)
  assert.equal(count({ most: 300 }, 1000), 60)
  assert.equal(count({ most: 300 }, 20_000), 200)
  assert.equal(count({ most: 300 }, 30_000), 300)
  assert.equal(count({ most: 300, share: false }, 1000), 300)
})

function sourceOf(total: number, pieceRows: number): Source & { reads: number; told: number } {
  const source = {
    reads: 0,
    told: 0,
    open: async () => ({ columns: ['A'], indexKind: null, identity: null, total, options: [] }),
    async *rows(): AsyncGenerator<SourceRows> {
      source.reads++
      for (let from = 0; from < total; from += pieceRows) {
        const seqs = Array.from({ length: Math.min(pieceRows, total - from) }, (_, i) => from + i)
        yield { rows: seqs.map(seq => [`${seq}`]), lines: seqs.map(seq => seq + 2) }
      }
    },
    published: async () => void source.told++,
    close: async () => {},
  }
  return source
}

test('a sampled source hands on every row and keeps the planned ones, also if it is read twice', async () => {
  const sampled = new SampledSource(sourceOf(1000, 7), { most: 300 })
  await sampled.open()
  for (let pass = 0; pass < 2; pass++) {
    const rows: string[] = []
    for await (const piece of sampled.rows()) rows.push(...piece.rows.map(([cell]) => cell!))
    assert.equal(rows.length, 1000)
  }
  assert.equal((await sampled.first).rows.length, 20)
  const { rows, seqs, lines } = await sampled.all
  assert.equal(rows.length, 60)
  assert.deepEqual([seqs[29], seqs[30], seqs[45], seqs[59]], [29, 500, 985, 999])
  assert.deepEqual([rows[59], lines[59]], [['999'], 1001])
  assert.equal(sampled.total, 1000)
})

test('two rows far apart that share a rare cell are tried too. They replace the last rows of the sample', async () => {
  const total = 30_000
  const cells = (seq: number) => [
    `${seq}`,
    `city ${seq % 40}`,
    seq === 7000 ? 'mail 500' : seq === 8000 ? 'mail 3' : `mail ${seq}`,
    '',
  ]
  const source: Source = {
    ...sourceOf(total, 100),
    async *rows(): AsyncGenerator<SourceRows> {
      for (let from = 0; from < total; from += 100) {
        const seqs = Array.from({ length: 100 }, (_, i) => from + i)
        yield { rows: seqs.map(cells), lines: seqs.map(seq => seq + 2) }
      }
    },
  }
  const sampled = new SampledSource(source, { most: 300 })
  await sampled.open()
  for await (const _ of sampled.rows());
  const { rows, seqs, lines } = await sampled.all
  assert.equal(seqs.length, 300)
  assert.deepEqual(
    seqs.filter(seq => [3, 500, 7000, 8000].includes(seq)),
    [3, 500, 7000, 8000],
  )
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
  )
  assert.deepEqual([rows, lines], [seqs.map(cells), seqs.map(seq => seq + 2)])
  assert.equal(seqs.at(-1), 29_996) // 500, 7000 and 8000 are there instead of the last three
})

test('rows with a rare cell are tried too: a rare letter, and the first cell that is empty, negative or a text', async () => {
  const number = (seq: number) => ({ 4100: '', 4200: '-1', 4300: 'n/a' })[seq] ?? `${seq}`
  const source: Source = {
    ...sourceOf(30_000, 100),
    async *rows(): AsyncGenerator<SourceRows> {
      for (let from = 0; from < 30_000; from += 100) {
        const seqs = Array.from({ length: 100 }, (_, i) => from + i)
        yield { rows: seqs.map(seq => [number(seq), seq === 4000 ? 'z' : 'abc'[seq % 3]!]), lines: seqs }
      }
    },
  }
  const sampled = new SampledSource(source, { most: 300 })
  await sampled.open()
  for await (const _ of sampled.rows());
  const { seqs } = await sampled.all
  assert.equal(seqs.length, 300)
  assert.deepEqual(
    seqs.filter(seq => seq >= 150 && seq < 4500),
    [4000, 4100, 4200, 4300],
  )
})

test('rows that an earlier publisher has sent are read for the sample alone, before the source is told', async () => {
  const source = sourceOf(10, 3)
  const sampled = new SampledSource(source, { most: 300 })
  await sampled.open()
  await sampled.published()
  assert.equal((await sampled.all).rows.length, 10)
  assert.deepEqual([source.reads, source.told], [1, 1])
})
