import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FewLines } from '../../src/support/few-lines.ts'
import { ManualTime } from '../helpers/manual-time.ts'

function fewLines(hint?: string) {
  const said: string[] = []
  const time = new ManualTime()
  const lines = new FewLines(text => said.push(text), { time, ...(hint ? { hint } : {}) })
  const note = (partition: number, offset: number, kind = 'MALFORMED') =>
    lines.note({ kind, topic: 'rows', partition, offset }, () => `${kind} ${partition}@${offset}`)
  return { said, time, lines, note }
}

test('the first five lines of a kind in a second appear in full, then their number and offsets', async () => {
  const { said, time, note } = fewLines('; copies are in rejects')
  for (let offset = 12; offset < 12_361; offset++) note(3, offset)
  assert.deepEqual(
    said,
    [12, 13, 14, 15, 16].map(offset => `MALFORMED 3@${offset}`),
  )
  await time.pass(1000)
  assert.deepEqual(said.slice(5), [
    '... and 12,344 more MALFORMED in rows[3], offsets 17 to 12360; copies are in rejects',
  ])
})

test('a flood hides no line of another partition or of another kind', async () => {
  const { said, time, note } = fewLines()
  for (let offset = 0; offset < 100; offset++) note(0, offset)
  note(1, 7)
  note(0, 100, 'POISON')
  await time.pass(1000)
  assert.deepEqual(said.slice(5), [
    'MALFORMED 1@7',
    'POISON 0@100',
    '... and 95 more MALFORMED in rows[0], offsets 5 to 99',
  ])
})

test('the next second begins with lines in full, and a quiet second logs nothing', async () => {
  const { said, time, note } = fewLines()
  for (let offset = 0; offset < 6; offset++) note(0, offset)
  await time.pass(1000)
  note(0, 6)
  assert.deepEqual(said.slice(5), ['... and 1 more MALFORMED in rows[0], offset 5', 'MALFORMED 0@6'])
  await time.pass(10_000)
  assert.equal(said.length, 7)
  for (let offset = 7; offset < 13; offset++) note(0, offset)
  await time.pass(1000)
  assert.equal(said.at(-1), '... and 1 more MALFORMED in rows[0], offset 12')
})

test('the text of a line that is not logged is never made', () => {
  const { lines } = fewLines()
  let made = 0
  for (let offset = 0; offset < 100; offset++)
    lines.note({ kind: 'MALFORMED', topic: 'rows', partition: 0, offset }, () => `line ${++made}`)
  assert.equal(made, 5)
})

test('pending lines are logged at the end, once', async () => {
  const { said, time, lines, note } = fewLines()
  for (let offset = 0; offset < 9; offset++) note(0, offset)
  lines.close()
  lines.close()
  await time.pass(5000)
  assert.deepEqual(said.slice(5), ['... and 4 more MALFORMED in rows[0], offsets 5 to 8'])
})

test('an event about several messages counts once and names all their offsets', async () => {
  const { said, time, lines } = fewLines()
  for (let i = 0; i < 8; i++)
    lines.note(
      { kind: 'broken batches', topic: 'rows', partition: 0, offset: i * 10, last: i * 10 + 9 },
      () => 'broken',
    )
  await time.pass(1000)
  assert.equal(said.at(-1), '... and 3 more broken batches in rows[0], offsets 50 to 79')
})

test('each line tells programs its topic, partition and offset', async () => {
  const facts: unknown[] = []
  const time = new ManualTime()
  const lines = new FewLines((_, about) => facts.push(about), { time })
  for (let offset = 7; offset < 14; offset++)
    lines.note({ kind: 'MALFORMED', topic: 'rows', partition: 2, offset }, () => '')
  await time.pass(1000)
  const at = { level: 'warn', topic: 'rows', partition: 2 }
  assert.deepEqual(
    facts,
    [7, 8, 9, 10, 11, 12].map(offset => ({ ...at, offset })),
  )
})
